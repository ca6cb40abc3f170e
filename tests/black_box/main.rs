//! What dynhost promises, tried from outside: through the library with real components, and through the binary.

mod api;
mod built;
mod cancel;
mod capability;
mod clock;
mod code_cache;
mod command;
mod contract;
mod failing;
mod grants;
mod graph;
mod greedy;
#[path = "../hand_made/mod.rs"]
mod hand_made;
mod hostile;
mod hosts;
mod job;
mod kit;
mod languages;
mod lasting;
mod limits;
mod loading;
mod machine;
mod native;
mod order;
mod pool;
mod pure;
mod settable;
mod telemetry;
