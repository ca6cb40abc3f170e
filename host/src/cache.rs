//! Earlier successes, found by what they were made of (`semantics.md` rule 21).
//!
//! Knows what a key is made of, and nothing of when it is asked for.

use std::borrow::Cow;
use std::sync::Arc;

use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::Input;
use dynhost_graph::value::Value;

use crate::store::StoreError;

/// A BLAKE3 digest.
pub type Digest = [u8; 32];

/// Keeps successes of steps across runs. Any number of runs may use one at once, in any number
/// of processes; what is found is always whole.
pub trait Cache: Send + Sync {
    /// What there is of an op, so that nothing is looked up in vain.
    ///
    /// # Errors
    /// The cache cannot be read.
    fn holdings(&self, component: &str, op: &str) -> Result<Holdings, StoreError>;

    /// The success that was kept under a key.
    ///
    /// # Errors
    /// The entry cannot be read, or is damaged.
    fn find(&self, key: &Digest) -> Result<Option<CachedSuccess>, StoreError>;

    /// Keeps a success. Does not wait until it is kept; one that cannot be kept is left out.
    fn keep(&self, entry: CacheEntry);
}

/// What a cache has of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Successes of attempts that did not ask which step they are.
    pub by_inputs: bool,
    /// Successes of attempts that asked for their step key, mapping keys or attempt.
    pub by_step: bool,
}

/// What a success was made of. Two of the same digest are the same in all parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    /// The digest of all parts.
    pub digest: Digest,
    /// SHA-256 of the component, as hexadecimal digits.
    pub component: String,
    /// The op.
    pub op: String,
    /// The version of the interface between op and host, such as `dynhost:op@0.1.0`.
    pub interface: Cow<'static, str>,
    /// The configuration, and what the node may reach.
    pub config: Digest,
    /// The inputs, by name.
    pub inputs: Vec<(String, Digest)>,
    /// The step key and the attempt, where the guest asked for them.
    pub step: Option<String>,
}

/// A success as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheEntry {
    /// What it was made of.
    pub key: CacheKey,
    /// The run in which it was made.
    pub run: String,
    /// What it gave, and how long that took.
    pub success: CachedSuccess,
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedSuccess {
    /// The run in which it was made.
    pub run: String,
    /// The step that made it.
    pub step: StepKey,
    /// How long the attempt took, in microseconds.
    pub took_us: u64,
    /// Its outputs: dynamic ones in the order of emission, then the static ones.
    pub outputs: Vec<GivenOutput>,
}

/// One output that a step gave.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenOutput {
    /// The output.
    pub output: Arc<str>,
    /// The mapping key, where the output is dynamic.
    pub key: Option<MappingKey>,
    /// The value.
    pub value: Value,
}

/// The digest of one input: media types, mapping keys and bytes, each with its length, so that no
/// two inputs run into one another.
#[must_use]
pub fn digest_input(input: &Input) -> Digest {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match input {
        Input::Absent => part(b"absent"),
        Input::Single(value) => {
            part(b"single");
            part(value.media_type.as_str().as_bytes());
            part(&value.data);
        }
        Input::Many(list) => {
            part(b"many");
            for element in &list.elements {
                part(element.key.as_str().as_bytes());
                part(element.value.media_type.as_str().as_bytes());
                part(&element.value.data);
            }
            part(b"failed");
            for key in &list.failed {
                part(key.as_str().as_bytes());
            }
        }
    }
    hash.finalize().into()
}
