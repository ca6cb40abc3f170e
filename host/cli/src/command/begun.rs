//! A run as it began: what it takes to make its job again.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use dynhost::graph::event::{Event, ManifestRecord, RunSettings};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::store::RunStore;
use dynhost::store::sqlite::SqliteStore;
use dynhost::{Host, PreparedJob};
use serde_json::Value as Json;

use super::state::from_here;
use crate::error::Error;

/// What the first event of a run says.
pub(super) struct Begun {
    pub(super) run: String,
    pub(super) params: Vec<(String, Json)>,
    pub(super) manifest: ManifestRecord,
    pub(super) settings: RunSettings,
}

impl Begun {
    /// Reads the beginning of a run.
    pub(super) fn read(store: &SqliteStore, run: &str) -> Result<Self, Error> {
        let mut first = None;
        store.read(run, &mut |recorded| {
            first = Some(recorded.event);
            ControlFlow::Break(())
        })?;
        let Some(Event::RunStarted { params, manifest, settings, .. }) = first else {
            return Err(Error::failed(format!("run `{run}` has no beginning in the history")));
        };
        let manifest = manifest.ok_or_else(|| {
            Error::usage(format!("run `{run}` was not made from a manifest"))
                .with_help("only the program that made it can go on with it")
        })?;
        Ok(Self { run: run.to_owned(), params, manifest: *manifest, settings })
    }

    /// The file of the manifest.
    pub(super) fn path(&self) -> PathBuf {
        from_here(&self.manifest.path)
    }

    /// The manifest as it is now; `None`: the file is gone.
    pub(super) fn manifest_now(&self) -> Result<Option<Manifest>, Error> {
        let path = self.path();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let path = path.display();
                return Err(Error::usage(format!("the manifest `{path}` cannot be read: {error}")));
            }
        };
        parse(&path, &text).map(Some)
    }

    /// The manifest as it was.
    pub(super) fn manifest_then(&self) -> Result<Manifest, Error> {
        parse(&self.path(), &self.manifest.text)
    }

    /// The params of the run, where the manifest still has them, below those that are given.
    pub(super) fn params(&self, manifest: &Manifest, given: GivenParams) -> GivenParams {
        let declared =
            |name: &String| manifest.params.iter().any(|param| param.name.value == *name);
        let recorded = self.params.iter().filter(|(name, _)| declared(name));
        let mut params: GivenParams =
            recorded.map(|(name, value)| (name.clone(), Given::Json(value.clone()))).collect();
        params.extend(given);
        params
    }

    /// Plans the job with paths that begin with a param where they were.
    pub(super) fn prepare(
        &self,
        host: &Host,
        manifest: &Manifest,
        given: &GivenParams,
    ) -> Result<PreparedJob, Error> {
        host.prepare_in(&self.manifest.working, manifest, given)
            .map_err(|error| Error::prepare(error, Some(manifest)))
    }
}

fn parse(path: &Path, text: &str) -> Result<Manifest, Error> {
    Manifest::parse(path, text).map_err(Error::Manifest)
}
