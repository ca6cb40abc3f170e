//! What a job grants, looked up on the machine before anything runs.

use std::env::{self, VarError};
use std::io;

use dynhost_graph::grant::{EnvGrant, FolderGrant};
use dynhost_graph::job::Job;
use dynhost_graph::manifest::Problem;

/// Puts the values of the host's environment into the grants, and checks that everything
/// else that is granted is there.
pub(super) fn look_up(job: &mut Job) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for node in &mut job.nodes {
        problems.extend(node.grants.fs.iter().filter_map(missing_folder));
        problems.extend(node.grants.env.iter_mut().filter_map(|variable| fill(variable).err()));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A folder that is granted and does not exist is a mistake of the manifest, not of a step.
fn missing_folder(folder: &FolderGrant) -> Option<Problem> {
    let why = match std::fs::metadata(&folder.host) {
        Ok(metadata) if metadata.is_dir() => return None,
        Ok(_) => "is not a folder".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be looked at: {error}"),
    };
    let message = format!("the granted folder `{}` {why}", folder.host.display());
    Some(Problem::at(folder.span.clone(), message).label(why).help(
        "grant a folder that is there; a path that begins with a param is relative to the working \
         folder, any other one to the manifest",
    ))
}

fn fill(variable: &mut EnvGrant) -> Result<(), Problem> {
    if variable.value.is_none() {
        let value = value_of(&variable.name).map_err(|why| {
            Problem::at(variable.span.clone(), why).help(format!(
                "set it, or give the value here: `{{ name = \"{}\", value = \"…\" }}`",
                variable.name
            ))
        })?;
        variable.value = Some(value);
    }
    Ok(())
}

/// The value of a variable of the host.
fn value_of(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| match error {
        VarError::NotPresent => format!("the host has no environment variable `{name}`"),
        VarError::NotUnicode(_) => {
            format!("the host's environment variable `{name}` is not UTF-8")
        }
    })
}
