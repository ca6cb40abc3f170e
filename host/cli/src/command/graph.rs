//! `dynhost graph`.
use clap::Args;
use crate::error::Error;
use crate::report::Console;
/// .
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {}
pub(super) fn execute(_: &GraphArgs, _: Console) -> Result<u8, Error> { Ok(0) }
