//! What a file holds: a component, a core module that becomes one, or something else.

use std::path::Path;

use super::{ComponentError, hex};

/// Makes a component of a core module that carries its component-type section; a component is
/// taken as it is.
pub(super) fn as_component(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
    const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    if bytes.starts_with(&COMPONENT) {
        return Ok(bytes);
    }
    if !bytes.starts_with(&CORE) {
        return Err(ComponentError::NotWasm {
            path: path.to_path_buf(),
            found: looks_like(&bytes),
        });
    }
    let path = || path.to_path_buf();
    let mut says_world = false;
    for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
        match payload {
            Ok(wasmparser::Payload::CustomSection(section)) => {
                says_world |= section.name().starts_with("component-type");
            }
            Ok(_) => {}
            Err(error) => {
                return Err(ComponentError::Compile { path: path(), source: error.into() });
            }
        }
    }
    if !says_world {
        return Err(ComponentError::NoComponentType { path: path() });
    }
    let encode = || -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(wit_component::ComponentEncoder::default().module(&bytes)?.validate(true).encode()?)
    };
    encode().map_err(|source| ComponentError::Interface { path: path(), source })
}

fn looks_like(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if bytes.starts_with(b"\0asm") {
        return "it is of an unknown version of the binary format".to_owned();
    }
    match std::str::from_utf8(&bytes[..bytes.len().min(40)]) {
        Ok(text) => {
            let line = text.lines().next().unwrap_or_default();
            format!("it is a text file that begins with {line:?}")
        }
        Err(_) => format!("it begins with the bytes {}", hex(&bytes[..bytes.len().min(4)])),
    }
}
