//! The rules for every component: what it is, and what it says of itself.

use dynhost::graph::schema;
use dynhost::{Component, ComponentError};

use super::{Finding, Verdict, Words};
use crate::error::chain;

/// A rule that holds once a component is loaded, or is checked then.
struct Loading {
    name: &'static str,
    says: &'static str,
    cites: &'static str,
    check: fn(&Component) -> Verdict,
}

/// In the order in which they are found broken while a component is loaded.
const RULES: [Loading; 7] = [
    Loading {
        name: "loads",
        says: "it is a component that exports the op interface, or a module that becomes one",
        cites: "world component",
        check: |component| passed(format!("{} bytes", component.size())),
    },
    Loading {
        name: "imports",
        says: "it imports nothing that the host does not have",
        cites: "world component; semantics 6",
        check: |component| passed(listed(component.imports())),
    },
    Loading {
        name: "interface",
        says: "what it imports and exports has the types of the interface",
        cites: "package dynhost:op@0.1.0",
        check: |_| passed("the same types".to_owned()),
    },
    Loading {
        name: "describe",
        says: "it describes its ops, and says the same each time",
        cites: "op.describe",
        check: describe,
    },
    Loading {
        name: "schemas",
        says: "every schema is a JSON Schema",
        cites: "input-definition.schema, output-definition.schema, op-definition.config-schema",
        check: schemas,
    },
    Loading {
        name: "definitions",
        says: "there is an op, and names are well formed and unique",
        cites: "op-definition.name, input-definition.name, output-definition.name",
        check: definitions,
    },
    Loading {
        name: "exports",
        says: "what else it exports is not called, and does no harm",
        cites: "world component",
        check: |component| passed(listed(component.exports())),
    },
];

/// The place of the rule that a component breaks which cannot be loaded.
fn broken(error: &ComponentError) -> usize {
    let name = match error {
        ComponentError::UnknownImports { .. } => "imports",
        ComponentError::Interface { .. } => "interface",
        ComponentError::Describe { .. } => "describe",
        ComponentError::Schema { .. } => "schemas",
        ComponentError::Definition { .. } => "definitions",
        _ => "loads",
    };
    RULES.iter().position(|rule| rule.name == name).unwrap_or(0)
}

/// What the rules say of a component, or of why it cannot be loaded.
pub(super) fn findings(loaded: Result<&Component, &ComponentError>) -> Vec<Finding> {
    let verdict = |(at, rule): (usize, &Loading)| match loaded {
        Ok(component) => (rule.check)(component),
        Err(error) if at == broken(error) => failed(rule.says, chain(error)),
        Err(error) if at < broken(error) => passed("as far as it was loaded".to_owned()),
        Err(_) => Verdict::NotExercised { why: "it cannot be loaded".to_owned() },
    };
    let words = |rule: &Loading| Words {
        name: rule.name.to_owned(),
        says: rule.says.to_owned(),
        cites: rule.cites.to_owned(),
    };
    let rules = RULES.iter().enumerate();
    rules.map(|(at, rule)| Finding { rule: words(rule), verdict: verdict((at, rule)) }).collect()
}

fn passed(seen: String) -> Verdict {
    Verdict::Passed { seen }
}

fn failed(expected: &str, seen: String) -> Verdict {
    Verdict::Failed { expected: expected.to_owned(), seen }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn describe(component: &Component) -> Verdict {
    let expected = "the same ops as when it was loaded";
    match component.describe() {
        Ok(ops) if ops == component.ops() => passed(format!("{} ops, twice", ops.len())),
        Ok(ops) => {
            let other = ops.iter().find(|op| !component.ops().contains(op));
            let words = other.map_or("fewer ops".to_owned(), |op| format!("another `{}`", op.name));
            failed(expected, words)
        }
        Err(error) => failed(expected, chain(&error)),
    }
}

fn schemas(component: &Component) -> Verdict {
    let mut count = 0;
    for op in component.ops() {
        let inputs = op.inputs.iter().map(|input| ("input", &*input.name, &input.schema));
        let outputs = op.outputs.iter().map(|output| ("output", &*output.name, &output.schema));
        let config = [("configuration", "", &op.config_schema)];
        for (what, name, schema) in inputs.chain(outputs).chain(config) {
            let Some(schema) = schema else { continue };
            count += 1;
            if let Err(why) = schema::validator(schema) {
                let seen = format!("{what} `{name}` of op `{}`: {why}", op.name).replace(" ``", "");
                return failed("a JSON Schema", seen);
            }
        }
    }
    passed(format!("{count} schemas"))
}

/// A host may take other names as well; the interface has these.
fn definitions(component: &Component) -> Verdict {
    for op in component.ops() {
        let inputs = op.inputs.iter().map(|input| input.name.as_str());
        let outputs = op.outputs.iter().map(|output| output.name.as_str());
        let mut names = std::iter::once(op.name.as_str()).chain(inputs).chain(outputs);
        if let Some(name) = names.find(|name| !is_name(name)) {
            let expected = "a lower-case letter, then lower-case letters, digits, `_` or `-`";
            return failed(expected, format!("`{name}` in op `{}`", op.name));
        }
    }
    passed(format!("{} ops", component.ops().len()))
}

fn is_name(name: &str) -> bool {
    let further = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(further)
}
