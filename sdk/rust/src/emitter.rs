//! Giving outputs while the op still runs, or as a list at the end.

use crate::key::check_mapping_key;
use crate::raw::EmitError;
use crate::{Encode, Result, host};
use std::collections::BTreeSet;

/// One element of a dynamic output: a value and the mapping key that names its clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicOutput<T> {
    /// 1 to 255 bytes without control characters, `[` or `]`, unique within the output.
    pub mapping_key: String,
    /// What is given.
    pub value: T,
}

impl<T> DynamicOutput<T> {
    /// A value under a mapping key.
    pub fn new(mapping_key: impl Into<String>, value: T) -> Self {
        Self { mapping_key: mapping_key.into(), value }
    }
}

/// A dynamic output that is given while the op runs: a parameter `out: &mut Emitter<T>`.
///
/// Clones start as soon as an element is emitted, and no element is held in the op's memory.
#[derive(Debug)]
pub struct Emitter<T> {
    sink: Sink<T>,
}

#[derive(Debug)]
enum Sink<T> {
    Host(&'static str),
    Recorded { given: Vec<DynamicOutput<T>>, keys: BTreeSet<String> },
}

impl<T: Encode> Emitter<T> {
    /// Gives one element now. The host may suspend the op in this call until its clones have caught up.
    ///
    /// # Errors
    /// When the mapping key is malformed or was already given, the value has no JSON form or is larger than the step
    /// may give, or the run is being cancelled. All of these fail the step, so `?` is the right answer.
    pub fn emit(&mut self, mapping_key: impl Into<String>, value: T) -> Result<()> {
        match &mut self.sink {
            Sink::Host(name) => give(name, Some(&mapping_key.into()), &value),
            Sink::Recorded { given, keys } => record(given, keys, mapping_key.into(), value),
        }
    }

    /// Gives one element that the op goes on using. Bytes pass to the host from where they lie, so this costs the op's memory
    /// nothing, however large they are.
    ///
    /// # Errors
    /// Those of [`emit`](Self::emit).
    pub fn emit_ref(&mut self, mapping_key: impl Into<String>, value: &T) -> Result<()>
    where
        T: Clone,
    {
        match &mut self.sink {
            Sink::Host(name) => give(name, Some(&mapping_key.into()), value),
            Sink::Recorded { given, keys } => {
                record(given, keys, mapping_key.into(), value.clone())
            }
        }
    }
}

fn give(name: &str, mapping_key: Option<&str>, value: &impl Encode) -> Result<()> {
    Ok(host::emit_from(name, mapping_key, &*value.encode_ref()?)?)
}

fn record<T>(
    given: &mut Vec<DynamicOutput<T>>,
    keys: &mut BTreeSet<String>,
    mapping_key: String,
    value: T,
) -> Result<()> {
    check_mapping_key(&mapping_key).map_err(EmitError::InvalidKey)?;
    if !keys.insert(mapping_key.clone()) {
        return Err(EmitError::DuplicateKey(mapping_key).into());
    }
    given.push(DynamicOutput { mapping_key, value });
    Ok(())
}

impl<T> Emitter<T> {
    #[doc(hidden)]
    #[must_use]
    pub fn to_host(name: &'static str) -> Self {
        Self { sink: Sink::Host(name) }
    }

    /// An emitter for tests that keeps what it is given.
    ///
    /// ```
    /// use dynhost_sdk::prelude::*;
    ///
    /// #[op]
    /// fn letters(word: String, out: &mut Emitter<char>) -> Result<()> {
    ///     for (n, letter) in word.chars().enumerate() {
    ///         out.emit(n.to_string(), letter)?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let mut out = Emitter::recording();
    /// letters("ab".to_owned(), &mut out).unwrap();
    /// assert_eq!(out.into_recorded(), [DynamicOutput::new("0", 'a'), DynamicOutput::new("1", 'b')]);
    /// ```
    #[must_use]
    pub fn recording() -> Self {
        Self { sink: Sink::Recorded { given: Vec::new(), keys: BTreeSet::new() } }
    }

    /// What a recording emitter was given; nothing from one that gives to the host.
    #[must_use]
    pub fn into_recorded(self) -> Vec<DynamicOutput<T>> {
        match self.sink {
            Sink::Host(_) => Vec::new(),
            Sink::Recorded { given, .. } => given,
        }
    }
}

/// An output that is not dynamic and is given while the op runs, or not at all: a parameter `out: &mut Output<T>`.
#[derive(Debug)]
pub struct Output<T> {
    place: Place<T>,
}

#[derive(Debug)]
enum Place<T> {
    Host(&'static str),
    Recorded(Option<T>),
}

impl<T: Encode> Output<T> {
    /// Gives the output now.
    ///
    /// # Errors
    /// When it was already given, the value has no JSON form or is larger than the step may give, or the run is being
    /// cancelled.
    pub fn give(&mut self, value: T) -> Result<()> {
        match &mut self.place {
            Place::Host(name) => give(name, None, &value),
            Place::Recorded(Some(_)) => Err(EmitError::DuplicateOutput.into()),
            Place::Recorded(place) => {
                *place = Some(value);
                Ok(())
            }
        }
    }
}

impl<T> Output<T> {
    #[doc(hidden)]
    #[must_use]
    pub fn to_host(name: &'static str) -> Self {
        Self { place: Place::Host(name) }
    }

    /// An output for tests that keeps what it is given.
    #[must_use]
    pub fn recording() -> Self {
        Self { place: Place::Recorded(None) }
    }

    /// What a recording output was given; nothing from one that gives to the host.
    #[must_use]
    pub fn into_recorded(self) -> Option<T> {
        match self.place {
            Place::Host(_) => None,
            Place::Recorded(given) => given,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_emitter_keeps_the_rules_of_keys() {
        let mut out = Emitter::recording();
        out.emit("a", 1).unwrap();
        assert_eq!(
            out.emit("a", 2).unwrap_err().message(),
            "the mapping key `a` was already given"
        );
        assert_eq!(
            out.emit("[", 3).unwrap_err().message(),
            "the mapping key is malformed: it contains '['"
        );
        out.emit_ref("b", &4).unwrap();
        assert!(out.emit_ref("b", &5).is_err());
        let recorded = [DynamicOutput::new("a", 1), DynamicOutput::new("b", 4)];
        assert_eq!(out.into_recorded(), recorded);
    }

    #[test]
    fn an_output_is_given_once() {
        let mut out = Output::recording();
        out.give(1).unwrap();
        assert!(out.give(2).is_err());
        assert_eq!(out.into_recorded(), Some(1));
    }
}
