//! `dynhost inspect`.
use clap::Args;
use crate::error::Error;
use crate::report::Console;
/// .
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {}
pub(super) fn execute(_: &InspectArgs, _: Console) -> Result<u8, Error> { Ok(0) }
