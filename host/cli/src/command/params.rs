//! Values of params: from `--param` and from files.

use std::path::{Path, PathBuf};

use clap::Args;
use dynhost::graph::params::{Given, GivenParams};
use serde_json::Value as Json;

use crate::cli::pair;
use crate::error::Error;

/// Flags that give params.
#[derive(Debug, Clone, Args)]
pub(crate) struct ParamArgs {
    /// Set a param; VALUE is JSON, or plain text where the param takes a string
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    param: Vec<(String, String)>,
    /// Take params from a JSON or TOML file; a `--param` goes before what the file says
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

impl ParamArgs {
    /// All values given.
    pub(crate) fn given(&self) -> Result<GivenParams, Error> {
        let mut given = match &self.params {
            Some(file) => from_file(file)?,
            None => GivenParams::new(),
        };
        for (name, value) in &self.param {
            given.insert(name.clone(), Given::Text(value.clone()));
        }
        Ok(given)
    }
}

fn from_file(file: &Path) -> Result<GivenParams, Error> {
    let wrong = |why: String| Error::usage(format!("`--params {}`: {why}", file.display()));
    let text = std::fs::read_to_string(file)
        .map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    let is_json = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => true,
        Some("toml") => false,
        _ => text.trim_start().starts_with(['{', '[']),
    };
    let value = if is_json {
        serde_json::from_str(&text).map_err(|error| wrong(format!("this is not JSON: {error}")))?
    } else {
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            wrong(format!("this is not TOML:\n{}", error.to_string().trim_end()))
        })?;
        to_json(toml::Value::Table(table))
    };
    match value {
        Json::Object(entries) => {
            Ok(entries.into_iter().map(|(name, value)| (name, Given::Json(value))).collect())
        }
        _ => Err(wrong("an object with a value for each param is expected".to_owned())),
    }
}

fn to_json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(n) => n.into(),
        toml::Value::Float(n) => n.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(array) => array.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            Json::Object(table.into_iter().map(|(key, value)| (key, to_json(value))).collect())
        }
    }
}
