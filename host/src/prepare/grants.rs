//! What a job grants, looked up on the machine before anything runs.

use std::env::{self, VarError};
use std::io;

use dynhost_graph::grant::{EnvGrant, FolderGrant};
use dynhost_graph::job::Job;
use dynhost_graph::manifest::Problem;

use crate::capability;
use crate::component::Component;
use crate::secret::SecretValues;

/// Puts the values of the host's environment into the grants, loads the secrets, and checks that
/// everything else that is granted is there.
pub(super) fn look_up(
    job: &mut Job,
    components: &[Component],
) -> Result<SecretValues, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut secrets = SecretValues::default();
    for node in &mut job.nodes {
        problems.extend(capability::pure(node, &components[node.component]));
        problems.extend(node.grants.fs.iter_mut().filter_map(|folder| find(folder).err()));
        problems.extend(node.grants.env.iter_mut().filter_map(|variable| fill(variable).err()));
        problems.extend(node.grants.secrets.iter().filter_map(|secret| {
            let why = secrets.load(&secret.source).err()?;
            let message = format!("the secret `{}` cannot be had: {why}", secret.name);
            Some(Problem::at(secret.span.clone(), message))
        }));
    }
    if problems.is_empty() { Ok(secrets) } else { Err(problems) }
}

/// Puts the path in place that symbolic links lead to now: what a link on the way leads to later is nothing that was
/// granted. A folder that is granted and does not exist is a mistake of the manifest, not of a step.
fn find(folder: &mut FolderGrant) -> Result<(), Problem> {
    let why = match folder.host.canonicalize() {
        Ok(path) if path.is_dir() => {
            folder.host = path;
            return Ok(());
        }
        Ok(_) => "is not a folder".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be looked at: {error}"),
    };
    let message = format!("the granted folder `{}` {why}", folder.host.display());
    Err(Problem::at(folder.span.clone(), message).label(why).help(
        "grant a folder that is there; a path that begins with a param is relative to the working \
         folder, any other one to the manifest",
    ))
}

fn fill(grant: &mut EnvGrant) -> Result<(), Problem> {
    if grant.value.is_none() {
        let value = variable(&grant.name).map_err(|why| {
            Problem::at(grant.span.clone(), why).help(format!(
                "set it, or give the value here: `{{ name = \"{}\", value = \"…\" }}`",
                grant.name
            ))
        })?;
        grant.value = Some(value);
    }
    Ok(())
}

/// The value of a variable of the host.
pub(crate) fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| match error {
        VarError::NotPresent => format!("the host has no environment variable `{name}`"),
        VarError::NotUnicode(_) => {
            format!("the host's environment variable `{name}` is not UTF-8")
        }
    })
}
