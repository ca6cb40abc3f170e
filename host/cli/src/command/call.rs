//! `dynhost call`.
use clap::Args;
use crate::error::Error;
use crate::report::Console;
/// .
#[derive(Debug, Args)]
pub(crate) struct CallArgs {}
pub(super) fn execute(_: &CallArgs, _: Console) -> Result<u8, Error> { Ok(0) }
