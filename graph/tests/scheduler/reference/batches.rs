//! What the elements of an attempt make.

use dynhost_graph::job::{BatchBounds, NodeId, Origin, ScopeId};
use dynhost_graph::name::MappingKey;
use dynhost_graph::scheduler::{Collection, Element, Input};

use super::{Elements, Interpreter};
use crate::draft::position;
use crate::script::Script;

impl Interpreter<'_> {
    /// What an attempt of a node gives to each scope that its outputs make.
    pub(super) fn elements_of(&self, node: NodeId, script: &Script) -> Elements {
        let mut elements = Elements::new();
        for (index, scope) in self.job.scopes.iter().enumerate() {
            let (of, bounds) = match &scope.origin {
                Origin::FanOut(of) => (of, None),
                Origin::Batch { of, bounds } => (of, Some(*bounds)),
                _ => continue,
            };
            if of.node != node {
                continue;
            }
            let emits = script.emits.iter().filter(|(output, _, _)| *output == of.output);
            let emits = emits.map(|(_, key, value)| Element {
                key: MappingKey::new(key).expect("keys in tests are good"),
                value: value.clone(),
            });
            let made = match bounds {
                None => emits.map(|e| (e.key.to_string(), Input::Single(e.value))).collect(),
                Some(bounds) => batches(emits.collect(), bounds, script.fails.is_none()),
            };
            elements.insert(ScopeId(position(index)), made);
        }
        elements
    }
}

/// Cuts a list from its beginning; the last batch counts only where it is whole, or the attempt
/// succeeded.
fn batches(mut rest: Vec<Element>, bounds: BatchBounds, succeeded: bool) -> Vec<(String, Input)> {
    let (items, bytes) =
        (bounds.max_items.unwrap_or(u64::MAX), bounds.max_bytes.unwrap_or(u64::MAX));
    let size =
        |elements: &[Element]| elements.iter().map(|e| e.value.data.len() as u64).sum::<u64>();
    let mut made = Vec::new();
    while !rest.is_empty() {
        let fits = |n: &usize| *n as u64 <= items && (*n == 1 || size(&rest[..*n]) <= bytes);
        let length = (1..=rest.len()).take_while(fits).last().expect("one always fits");
        let whole = length < rest.len() || length as u64 == items || size(&rest) > bytes;
        if !whole && !succeeded {
            break;
        }
        let after = rest.split_off(length);
        let key = rest[0].key.to_string();
        let list = Collection { elements: rest, failed: Vec::new() };
        made.push((key, Input::Many(list.into())));
        rest = after;
    }
    made
}
