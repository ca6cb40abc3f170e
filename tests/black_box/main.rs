//! What dynhost promises, tried from outside: through the library with real components, and through the binary.

mod cancel;
mod code_cache;
mod command;
mod failing;
mod graph;
mod hostile;
mod hosts;
mod job;
mod loading;
mod machine;
mod order;
