//! Jobs of dynhost as data: what a manifest says, what it means, and what is to be done next.
//!
//! Data flows one way: text → [`manifest`] → [`plan`] → [`job`] → scheduler. Nothing in this
//! crate does I/O, reads a clock, spawns a task or knows wasm, which is what lets it be tested
//! with thousands of generated graphs in seconds.

pub mod definition;
pub mod event;
pub mod grant;
pub mod job;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod operator;
pub mod params;
pub mod plan;
pub mod retry;
pub mod scheduler;
pub mod schema;
pub mod select;
pub mod value;
