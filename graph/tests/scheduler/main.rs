//! The scheduler, driven by scripted ops in every order of completion.
//!
//! `draft` builds jobs by hand, `simulator` plays the executor, `reference` computes what must
//! come out from the rules alone, and the other modules are tests.

mod acceptance;
mod batches;
mod draft;
mod failing;
mod generate;
mod meeting;
mod pressure;
mod properties;
mod random;
mod reference;
mod resume;
mod scale;
mod script;
mod simulator;
mod trace;
