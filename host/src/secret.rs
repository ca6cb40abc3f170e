//! Values that guests use without seeing them.
//!
//! A guest's environment holds a placeholder, new in each run. The host puts the value in its
//! place in the headers of a request to the secret's hosts, and nowhere else. Nothing shows a
//! value: neither `Debug` nor an error.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use dynhost_graph::grant::{Grants, SecretGrant, SecretSource};
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// A value. Its memory is wiped when it is dropped.
#[derive(Clone)]
#[cfg_attr(not(feature = "wasi-http"), allow(dead_code, reason = "only requests take it out"))]
struct SecretValue(Arc<Zeroizing<String>>);

/// The values that a job needs, as they were when it was prepared.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretValues(BTreeMap<SecretSource, SecretValue>);

/// The secrets of one node in one run.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Secret>);

#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "wasi-http"), allow(dead_code, reason = "only requests take it out"))]
struct Secret {
    grant: SecretGrant,
    placeholder: String,
    value: SecretValue,
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl SecretValues {
    /// Looks a value up.
    ///
    /// # Errors
    /// In words: it is not there, or cannot stand in a header.
    pub(crate) fn load(&mut self, source: &SecretSource) -> Result<(), String> {
        if self.0.contains_key(source) {
            return Ok(());
        }
        let value = match source {
            SecretSource::Env(name) => Zeroizing::new(crate::prepare::variable(name)?),
            SecretSource::File(path) => read(path)?,
        };
        let in_headers = |byte: u8| (byte >= b' ' && byte != 0x7f) || byte == b'\t';
        if value.is_empty() {
            return Err(format!("{source} is empty"));
        }
        if !value.bytes().all(in_headers) {
            return Err(format!("{source} has several lines, or characters that no header takes"));
        }
        self.0.insert(source.clone(), SecretValue(Arc::new(value)));
        Ok(())
    }

    /// What a node uses of them in a new run.
    pub(crate) fn of(&self, grants: &Grants) -> Secrets {
        let secret = |grant: &SecretGrant| {
            let value = self.0.get(&grant.source)?.clone();
            Some(Secret { grant: grant.clone(), placeholder: placeholder(), value })
        };
        Secrets(grants.secrets.iter().filter_map(secret).collect())
    }
}

/// The text of a file without the line end behind it.
fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?;
    let text = Zeroizing::new(text);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

/// A text that nobody can guess, and that looks the same each time.
fn placeholder() -> String {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).expect("the system gives randomness");
    format!("dynhost-secret-{:032x}", u128::from_le_bytes(bytes))
}

impl Secrets {
    /// The variables of the guest, with what stands in them.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|secret| (secret.grant.name.as_str(), secret.placeholder.as_str()))
    }
}

#[cfg(feature = "wasi-http")]
mod headers {
    use dynhost_graph::grant::HostPattern;
    use http::{HeaderMap, HeaderValue};
    use zeroize::Zeroizing;

    use super::{Secret, Secrets};

    impl Secrets {
        /// The name of the secret whose placeholder stands in these bytes.
        pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&str> {
            self.0.iter().find(|secret| secret.is_in(bytes)).map(|secret| &*secret.grant.name)
        }

        /// Puts values in the place of placeholders.
        ///
        /// # Errors
        /// The secret that is not for this host, or not without TLS.
        pub(crate) fn fill(
            &self,
            headers: &mut HeaderMap,
            is_host: impl Fn(&HostPattern) -> bool,
            plain_http: bool,
        ) -> Result<(), Misuse<'_>> {
            for value in headers.values_mut() {
                for secret in &self.0 {
                    if !secret.is_in(value.as_bytes()) {
                        continue;
                    }
                    let name = &*secret.grant.name;
                    if !secret.grant.hosts.iter().any(&is_host) {
                        return Err(Misuse::OtherHost(name));
                    }
                    if plain_http && !secret.grant.plain_http {
                        return Err(Misuse::PlainHttp(name));
                    }
                    *value = secret.put_into(value);
                }
            }
            Ok(())
        }
    }

    /// Why a secret is not sent; its name.
    #[derive(Debug, PartialEq, Eq)]
    pub(crate) enum Misuse<'a> {
        OtherHost(&'a str),
        PlainHttp(&'a str),
    }

    impl Secret {
        fn is_in(&self, bytes: &[u8]) -> bool {
            let placeholder = self.placeholder.as_bytes();
            bytes.windows(placeholder.len()).any(|window| window == placeholder)
        }

        fn put_into(&self, header: &HeaderValue) -> HeaderValue {
            let placeholder = self.placeholder.as_bytes();
            let mut filled = Zeroizing::new(Vec::new());
            let mut rest = header.as_bytes();
            while !rest.is_empty() {
                if let Some(after) = rest.strip_prefix(placeholder) {
                    filled.extend_from_slice(self.value.0.as_bytes());
                    rest = after;
                } else {
                    filled.push(rest[0]);
                    rest = &rest[1..];
                }
            }
            let filled = HeaderValue::from_bytes(&filled);
            let mut filled = filled.expect("the value was checked when it was loaded");
            filled.set_sensitive(true);
            filled
        }
    }
}

#[cfg(feature = "wasi-http")]
pub(crate) use headers::Misuse;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_value() {
        let mut values = SecretValues::default();
        let source = SecretSource::Env("CARGO_MANIFEST_DIR".to_owned());
        values.load(&source).unwrap();
        let value = env!("CARGO_MANIFEST_DIR");
        let hosts = Vec::new();
        let name = "KEY".to_owned();
        let grant = SecretGrant { name, source, hosts, plain_http: false, span: 0..0 };
        let secrets = values.of(&Grants { secrets: vec![grant], ..Grants::default() });
        assert_eq!(*secrets.0[0].value.0.as_str(), *value);
        assert!(!format!("{values:?} {secrets:?} {secrets:#?}").contains(value));
    }

    #[test]
    fn placeholders_look_alike_and_differ() {
        let (one, two) = (placeholder(), placeholder());
        assert_ne!(one, two);
        for text in [one, two] {
            let digits = text.strip_prefix("dynhost-secret-").expect("the prefix");
            assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
        }
    }

    #[test]
    fn a_file_loses_the_end_of_its_line_and_may_have_no_other() {
        let folder = std::env::temp_dir().join(format!("dynhost-secret-{}", placeholder()));
        std::fs::create_dir(&folder).unwrap();
        let load = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            let source = SecretSource::File(path);
            let mut values = SecretValues::default();
            values.load(&source).map(|()| values.0[&source].0.to_string())
        };
        assert_eq!(load("a", "hunter2\r\n").as_deref(), Ok("hunter2"));
        assert_eq!(load("b", " a b ").as_deref(), Ok(" a b "));
        let wrong = load("c", "hunter2\nx-evil: 1").unwrap_err();
        assert!(wrong.contains("several lines") && !wrong.contains("hunter2"), "{wrong}");
        assert!(load("d", "\n").unwrap_err().contains("is empty"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
