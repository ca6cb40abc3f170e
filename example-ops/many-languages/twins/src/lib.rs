//! Ops of the job `weather` once more, in Rust: the one of `../trend.c`, and the one of `../page.ts`.

mod html;
mod slopes;

pub use html::page;
pub use slopes::trend;

dynhost_sdk::export_ops!(page, trend);
