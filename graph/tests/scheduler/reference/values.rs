//! What steps are given.

use dynhost_graph::job::{NodeId, Origin, ScopeId, Source};
use dynhost_graph::name::MappingKey;
use dynhost_graph::scheduler::{Collection, Element, Input};
use dynhost_graph::value::Value;

use super::{End, Found, Interpreter, Path, Taken, join};

impl Interpreter<'_> {
    pub(super) fn find(&self, source: &Source, scope: ScopeId, path: &Path) -> Found {
        match source {
            Source::Value(value) => Found::There(Input::Single(value.clone())),
            Source::Output(output) => {
                let of = self.job.node(output.node).scope;
                let path = self.locate(scope, path, of).expect("the reader is inside");
                let step = &self.done[&(output.node, path)];
                let given = step.gives.iter().find(|(index, _)| *index == output.output);
                match (step.end, given) {
                    (End::Blocked(by), _) => Found::Blocked(by),
                    (End::Well, Some((_, value))) => Found::There(Input::Single(value.clone())),
                    _ => Found::Missing,
                }
            }
            Source::Element(of) => {
                let path = self.locate(scope, path, *of).expect("the reader is inside");
                Found::There(self.element(*of, &path))
            }
            Source::Collect(collect) => {
                let collect = self.job.collect(*collect);
                let parent = self.job.scope(collect.scope).parent.expect("not the root");
                let path = self.locate(scope, path, parent).expect("the reader is inside");
                match self.fan_in(collect.scope, &path, Taken::Value(&collect.of)) {
                    (End::Well, list) => Found::There(Input::Many(list.into())),
                    (End::Skipped, _) => Found::Missing,
                    (End::Blocked(by), _) => Found::Blocked(by),
                }
            }
            Source::List(sources) => self.list(sources, scope, path),
        }
    }

    pub(super) fn list(&self, sources: &[Source], scope: ScopeId, path: &Path) -> Found {
        let mut elements = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            match self.find(source, scope, path) {
                Found::There(Input::Single(value)) => {
                    let key = MappingKey::new(&index.to_string()).expect("a number is a key");
                    elements.push(Element { key, value });
                }
                Found::There(_) => unreachable!("a list holds single values"),
                Found::Missing => {}
                Found::Blocked(by) => return Found::Blocked(by),
            }
        }
        if elements.is_empty() && !sources.is_empty() {
            return Found::Missing;
        }
        Found::There(Input::Many(Collection { elements, failed: Vec::new() }.into()))
    }

    pub(super) fn element(&self, scope: ScopeId, path: &Path) -> Input {
        let (Origin::FanOut(of) | Origin::Batch { of, .. }) = self.job.scope(scope).origin else {
            unreachable!("only a fan-out has elements")
        };
        let (key, outer) = path.split_last().expect("inside a map");
        let elements = &self.done[&(of.node, outer.to_vec())].elements[&scope];
        let (_, element) = elements.iter().find(|(k, _)| k == key).expect("it was emitted");
        element.clone()
    }

    /// Rules 13 to 15: the list over `scope` in the frame `path` of its parent.
    pub(super) fn fan_in(
        &self,
        scope: ScopeId,
        path: &Path,
        taken: Taken<'_>,
    ) -> (End, Collection) {
        let closing = self.closing(scope, path);
        let mut list = Collection::default();
        if closing != End::Well {
            return (closing, list);
        }
        let (met, unmatched) = (self.keys(scope, path), self.unmatched(scope, path));
        let total = met.len() + unmatched.len();
        let mut failed: Vec<NodeId> = Vec::new();
        for name in met.iter().chain(&unmatched) {
            let key = MappingKey::new(name).expect("keys in tests are good");
            let found = if unmatched.contains(name) {
                Found::Blocked(self.first_in(scope))
            } else {
                self.taken(scope, &join(path, name), taken)
            };
            match found {
                Found::There(Input::Single(value)) => list.elements.push(Element { key, value }),
                Found::There(_) | Found::Missing => {}
                Found::Blocked(by) => {
                    list.failed.push(key);
                    failed.push(by);
                }
            }
        }
        for by in &failed {
            let count = failed.iter().filter(|node| *node == by).count();
            if !self.tolerated(*by, count, total) {
                return (End::Blocked(*by), list);
            }
        }
        let nothing = list.elements.is_empty() && list.failed.is_empty();
        let empty = total == 0 && self.was_emitted(scope, path);
        let skipped = nothing && !empty && matches!(taken, Taken::Value(_));
        (if skipped { End::Skipped } else { End::Well }, list)
    }

    /// What the frame `path` of `scope` gives to a fan-in over it.
    pub(super) fn taken(&self, scope: ScopeId, path: &Path, taken: Taken<'_>) -> Found {
        match taken {
            Taken::Value(Source::Collect(inner)) => {
                let inner = self.job.collect(*inner);
                match self.fan_in(inner.scope, path, Taken::Value(&inner.of)) {
                    (End::Well, list) => Found::There(Input::Single(array(&list))),
                    (End::Skipped, _) => Found::Missing,
                    (End::Blocked(by), _) => Found::Blocked(by),
                }
            }
            Taken::Value(source) => self.find(source, scope, path),
            Taken::Ended(node) => match self.ended(node, scope, path) {
                End::Blocked(by) => Found::Blocked(by),
                _ => Found::Missing,
            },
        }
    }

    /// How `node` ended as seen from a frame: its step there or around, or all of its clones inside.
    pub(super) fn ended(&self, node: NodeId, scope: ScopeId, path: &Path) -> End {
        let mut level = self.job.node(node).scope;
        if let Some(path) = self.locate(scope, path, level) {
            return self.done[&(node, path)].end;
        }
        loop {
            let parent = self.job.scope(level).parent.expect("the root is around everything");
            if let Some(path) = self.locate(scope, path, parent) {
                return self.fan_in(level, &path, Taken::Ended(node)).0;
            }
            level = parent;
        }
    }
}

fn array(list: &Collection) -> Value {
    let json = |element: &Element| element.value.to_json().expect("values in tests are JSON");
    Value::json(&list.elements.iter().map(json).collect())
}
