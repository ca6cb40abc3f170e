//! The conformance ops as far as their definitions go; each gives the text `crooked` where it can, and does nothing else
//! of what it should. A rule that passes here could not fail.

use dynhost_sdk::raw::{self, InputDefinition, Inputs, Op, OpDefinition, Output, OutputDefinition};
use dynhost_sdk::{Blob, Failure};

/// An op by its name and its form, as the rules of `dynhost conform` write it.
macro_rules! crooked {
    ($($name:literal $form:literal)*) => {
        /// The ops of this component.
        pub const OPS: &[Op] = &[
            $(Op {
                name: $name,
                definition: || definition($name, $form),
                run: |_: Inputs| given($form),
            },)*
            NONSENSE,
        ];
    };
}

crooked! {
    "echo" "value:any -> result:any"
    "split" "text:string -> dynamic line:string"
    "words" "text:string -> dynamic word:string"
    "length" "text:string -> result:integer"
    "join" "collected texts:string -> result:string config:object"
    "half" "n:integer -> optional half:integer"
    "fail" "value:any -> result:integer config:object"
    "tell" "value:any -> result:object"
    "take" "values:array optional word:string -> result:object"
    "census" "collected values:any -> result:object"
    "emit" "-> dynamic item:any result:any optional text:string config:object"
    "swallow" "-> dynamic item:any"
    "pull" "collected values:any -> result:array config:object"
    "count" "value:any -> result:integer"
    "trap" "value:any -> result:any"
    "spin" "value:any -> result:any"
    "grow" "value:any -> result:any"
}

raw::export!(OPS);

/// An op whose schema is JSON, and no JSON Schema.
const NONSENSE: Op = Op {
    name: "nonsense",
    definition: || {
        let mut op = definition("nonsense", "value:any -> result:any");
        op.inputs[0].schema = Some(r#"{"type":5}"#.to_owned());
        op
    },
    run: |_| Ok(vec![]),
};

/// A port: whether it is required, collected or dynamic, its name and its schema.
type Port = (bool, bool, String, Option<String>);

/// The ports on both sides of the arrow, and the schema of the configuration.
fn ports(form: &str) -> (Vec<Port>, Vec<Port>, Option<String>) {
    let (mut sides, mut config) = ([Vec::new(), Vec::new()], None);
    let (mut side, mut required, mut special) = (0, true, false);
    for word in form.split(' ') {
        match word.split_once(':') {
            Some(("config", kind)) => config = schema(kind),
            Some((name, kind)) => {
                sides[side].push((required, special, name.to_owned(), schema(kind)));
                (required, special) = (true, false);
            }
            None if word == "->" => side = 1,
            None if word == "optional" => required = false,
            None => special = true,
        }
    }
    let [inputs, outputs] = sides;
    (inputs, outputs, config)
}

fn schema(kind: &str) -> Option<String> {
    (kind != "any").then(|| format!("{{\"type\":\"{kind}\"}}"))
}

fn definition(name: &str, form: &str) -> OpDefinition {
    let (inputs, outputs, config_schema) = ports(form);
    let inputs = inputs.into_iter().map(|(required, collected, name, schema)| InputDefinition {
        name,
        description: String::new(),
        required,
        collected,
        schema,
    });
    let outputs = outputs.into_iter().map(|(required, dynamic, name, schema)| OutputDefinition {
        name,
        description: String::new(),
        required,
        dynamic,
        schema,
    });
    OpDefinition {
        name: name.to_owned(),
        description: String::new(),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        config_schema,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what an op gives may be a failure")]
fn given(form: &str) -> Result<Vec<Output>, Failure> {
    let (_, outputs, _) = ports(form);
    let output = |(_, dynamic, name, _): Port| Output {
        name,
        mapping_key: dynamic.then(|| "crooked".to_owned()),
        value: Blob::json("\"crooked\""),
    };
    Ok(outputs.into_iter().map(output).collect())
}
