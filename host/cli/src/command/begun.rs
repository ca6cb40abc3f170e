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

use super::state::{NAME, State, from_here};
use crate::error::Error;
use crate::report::Console;

/// What the first event of a run says.
pub(super) struct Begun {
    pub(super) run: String,
    pub(super) params: Vec<(String, Json)>,
    components: Vec<(String, String)>,
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
        let Some(Event::RunStarted { params, components, manifest, settings, .. }) = first else {
            return Err(Error::failed(format!("run `{run}` has no beginning in the history")));
        };
        let manifest = manifest.ok_or_else(|| {
            Error::usage(format!("run `{run}` was not made from a manifest"))
                .with_help("only the program that made it can go on with it")
        })?;
        Ok(Self { run: run.to_owned(), params, components, manifest: *manifest, settings })
    }

    /// Takes the manifest from elsewhere: where it is said, or else where it stands beside the state
    /// folder, since a project may have been moved or copied since.
    pub(super) fn relocate(
        &mut self,
        (state, said): (&State, Option<&Path>),
        console: Console,
    ) -> Result<(), Error> {
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .map_err(|error| Error::usage(format!("`{}`: {error}", path.display())))
        };
        let path = match said {
            Some(said) => absolute(said)?,
            None => match beside(state, &self.manifest.path) {
                Some(path) => absolute(&path)?,
                None => return Ok(()),
            },
        };
        let same = |one: &Path, other: &Path| {
            one == other
                || one.canonicalize().ok().is_some_and(|one| Some(one) == other.canonicalize().ok())
        };
        if same(&path, &self.manifest.path) {
            return Ok(());
        }
        if said.is_none() {
            let (now, then) = (from_here(&path), self.manifest.path.display());
            console
                .say(&format!("the manifest is `{}`; the run began with `{then}`", now.display()));
        }
        let (from, to) = (self.manifest.path.parent(), path.parent());
        if let (Some(from), Some(to)) = (from, to)
            && let Ok(inside) = self.manifest.working.strip_prefix(from)
        {
            self.manifest.working = to.join(inside);
        }
        self.manifest.path = path;
        Ok(())
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

    /// The components that are others now.
    pub(super) fn changed_components(&self, prepared: &PreparedJob) -> Vec<String> {
        let now = prepared.job().components.iter();
        let known = |alias: &String, digest: &String| {
            self.components.iter().any(|(other, was)| other == alias && was == digest)
        };
        now.filter(|it| !known(&it.alias, &it.digest)).map(|it| it.alias.clone()).collect()
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

/// The manifest of this name beside a state folder that has its usual name.
fn beside(state: &State, manifest: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(state.folder()).ok()?;
    let usual = folder.file_name().is_some_and(|name| name == NAME);
    let path = folder.parent().filter(|_| usual)?.join(manifest.file_name()?);
    path.is_file().then_some(path)
}

fn parse(path: &Path, text: &str) -> Result<Manifest, Error> {
    Manifest::parse(path, text).map_err(Error::Manifest)
}
