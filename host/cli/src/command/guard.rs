//! What a run is held to, whatever the manifest says: the operator's policy, and the lock of its components.

use std::path::PathBuf;

use clap::Args;
use dynhost::Host;
use dynhost::graph::manifest::Manifest;
use dynhost::graph::operator::OperatorPolicy;
use dynhost::lock::Lock;

use super::host_with;
use crate::error::Error;

/// The operator's policy.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The most that the job may use and reach, a TOML file: its limits and grants are cut to it
    #[arg(long, visible_alias = "limits", value_name = "FILE", env = "DYNHOST_POLICY")]
    #[arg(help_heading = "Sandbox", hide_env_values = true)]
    policy: Option<PathBuf>,
}

/// The lock of the components.
#[derive(Debug, Args)]
pub(crate) struct LockedArgs {
    /// Refuse components that are not the ones in `dynhost.lock` beside the manifest
    #[arg(long, help_heading = "Sandbox")]
    locked: bool,
}

impl PolicyArgs {
    /// A host that keeps to the policy.
    pub(super) fn host(&self) -> Result<Host, Error> {
        let Some(path) = &self.policy else { return host_with(OperatorPolicy::default()) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("the policy `{}` cannot be read: {error}", path.display()))
        })?;
        host_with(OperatorPolicy::parse(path, &text).map_err(Error::Manifest)?)
    }
}

impl LockedArgs {
    /// Pins the components of a manifest where that was asked for.
    pub(super) fn pin(&self, manifest: &mut Manifest) -> Result<(), Error> {
        if self.locked {
            Lock::read(&Lock::path(&manifest.path))
                .and_then(|lock| lock.pin(manifest))
                .map_err(|error| Error::lock(&error, &manifest.path))?;
        }
        Ok(())
    }
}
