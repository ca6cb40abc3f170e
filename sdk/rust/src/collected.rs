//! Taking the values of all clones of a map, a batch at a time.

use crate::raw::{self, Element};
use crate::{Decode, Failure, Result};
use std::cell::RefCell;
use std::rc::Rc;
use std::vec;

/// How many elements are asked for at once. The host gives fewer where they are large.
const BATCH: u32 = 128;

/// A collected input: an iterator over the values of all clones, in the order in which their keys were emitted.
///
/// Values are pulled while the op iterates, so there may be more of them than the op's memory holds. An element that is
/// not a `T` ends the iteration, and the step then fails with words for that element, whatever the op returns.
///
/// ```
/// use dynhost_sdk::prelude::*;
///
/// #[op]
/// fn total(sizes: Collected<u64>) -> u64 {
///     sizes.sum()
/// }
///
/// assert_eq!(total([1, 2, 3].into_iter().collect()), 6);
/// ```
#[derive(Debug)]
pub struct Collected<T> {
    source: Source<T>,
}

#[derive(Debug)]
enum Source<T> {
    Host { handle: raw::Collected, batch: vec::IntoIter<Element>, refused: Refused },
    Ready { elements: vec::IntoIter<(String, T)>, len: u64, failed_keys: Vec<String> },
}

/// Where a collected input leaves word of an element that it could not read.
pub(crate) type Refused = Rc<RefCell<Option<Failure>>>;

impl<T> Collected<T> {
    pub(crate) fn from_host(handle: raw::Collected, refused: Refused) -> Self {
        Self { source: Source::Host { handle, batch: Vec::new().into_iter(), refused } }
    }

    /// How many elements there are in all, those already taken included.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.source {
            Source::Host { handle, .. } => handle.len(),
            Source::Ready { len, .. } => *len,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The mapping keys of the clones that failed where the job tolerates failures; their values are not elements.
    #[must_use]
    pub fn failed_keys(&self) -> Vec<String> {
        match &self.source {
            Source::Host { handle, .. } => handle.failed_keys(),
            Source::Ready { failed_keys, .. } => failed_keys.clone(),
        }
    }

    /// The elements with the mapping keys under which they were emitted.
    #[must_use]
    pub fn with_keys(self) -> WithKeys<T> {
        WithKeys(self)
    }

    /// A collected input for tests with these mapping keys.
    #[must_use]
    pub fn keyed<K: Into<String>>(elements: impl IntoIterator<Item = (K, T)>) -> Self {
        let elements: Vec<_> =
            elements.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let len = elements.len() as u64;
        Self {
            source: Source::Ready { elements: elements.into_iter(), len, failed_keys: Vec::new() },
        }
    }

    /// Adds keys of failed clones to a collected input that was made for a test.
    #[must_use]
    pub fn with_failed_keys<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        if let Source::Ready { failed_keys, .. } = &mut self.source {
            failed_keys.extend(keys.into_iter().map(Into::into));
        }
        self
    }
}

impl<T: Decode> Collected<T> {
    fn pull(&mut self) -> Option<(String, T)> {
        match &mut self.source {
            Source::Ready { elements, .. } => elements.next(),
            Source::Host { handle, batch, refused } => {
                if refused.borrow().is_some() {
                    return None;
                }
                if batch.len() == 0 {
                    *batch = handle.next(BATCH).into_iter();
                }
                let Element { mapping_key, value } = batch.next()?;
                match T::decode(value) {
                    Ok(value) => Some((mapping_key, value)),
                    Err(failure) => {
                        *refused.borrow_mut() =
                            Some(failure.context(format_args!("element `{mapping_key}`")));
                        None
                    }
                }
            }
        }
    }
}

impl<T: Decode> Iterator for Collected<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.pull().map(|(_, value)| value)
    }
}

/// The elements of a collected input with their mapping keys.
#[derive(Debug)]
pub struct WithKeys<T>(Collected<T>);

impl<T: Decode> Iterator for WithKeys<T> {
    type Item = (String, T);

    fn next(&mut self) -> Option<(String, T)> {
        self.0.pull()
    }
}

/// A collected input for tests whose keys are the positions `0`, `1`, ….
impl<T> FromIterator<T> for Collected<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::keyed(values.into_iter().enumerate().map(|(n, value)| (n.to_string(), value)))
    }
}

/// What a refused element makes of the whole step.
pub(crate) fn check_refused(refused: &Refused) -> Result<()> {
    refused.borrow_mut().take().map_or(Ok(()), Err)
}
