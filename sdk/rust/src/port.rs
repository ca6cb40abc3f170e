//! What the code that the macros write stands on: how each kind of parameter and result meets the interface.
//!
//! A kind is a type that is never made: `Maybe<One<T>>` says how an `Option<T>` is declared and taken.

use crate::collected::{Refused, check_refused};
use crate::raw::{InputDefinition, InputValue, Inputs, Op, OpDefinition, Output, OutputDefinition};
use crate::{Blob, Collected, Decode, DynamicOutput, Encode, Failure, Result, host};
use std::marker::PhantomData;

/// An op that `#[op]` made out of a function.
pub trait Declared {
    /// The name of the op.
    const NAME: &'static str;
    /// What the op takes and gives.
    fn definition() -> OpDefinition;
    /// Runs the function.
    ///
    /// # Errors
    /// The function's own failure, or words for an input that does not fit.
    fn run(inputs: Inputs) -> Result<Vec<Output>>;
    /// The op as `export_ops!` lists it.
    const OP: Op = Op { name: Self::NAME, definition: Self::definition, run: Self::run };
}

/// How one kind of parameter is declared and taken.
pub trait InputKind {
    /// The type of the parameter.
    type Taken;
    /// Whether a job must wire it.
    const REQUIRED: bool = true;
    /// Whether it is pulled element by element.
    const COLLECTED: bool = false;
    /// The schema of the value, or of each element.
    fn schema() -> Option<String>;
    /// Reads what the host gives.
    ///
    /// # Errors
    /// Words for what does not fit.
    fn take(value: InputValue, refused: &Refused) -> Result<Self::Taken>;
}

/// A parameter `T`.
pub struct One<T>(PhantomData<T>);
/// A parameter `Vec<T>`.
pub struct Several<T>(PhantomData<T>);
/// A parameter `Collected<T>`.
pub struct Pulled<T>(PhantomData<T>);
/// An `Option` of another kind.
pub struct Maybe<K>(PhantomData<K>);

impl<T: Decode> InputKind for One<T> {
    type Taken = T;

    fn schema() -> Option<String> {
        T::schema()
    }

    fn take(value: InputValue, _: &Refused) -> Result<T> {
        match value {
            InputValue::Single(blob) => T::decode(blob),
            // Several JSON values wired to an input that takes an array of them, such as a set or any JSON.
            InputValue::Many(blobs) => T::decode(json_array(&blobs)?),
            other => Err(unfit(&other)),
        }
    }
}

impl<T: Decode> InputKind for Several<T> {
    type Taken = Vec<T>;

    fn schema() -> Option<String> {
        T::list_schema()
    }

    fn take(value: InputValue, _: &Refused) -> Result<Vec<T>> {
        match value {
            InputValue::Single(blob) => T::decode_list(blob),
            InputValue::Many(blobs) => blobs
                .into_iter()
                .enumerate()
                .map(|(n, blob)| {
                    T::decode(blob).map_err(|failure| failure.context(format_args!("element {n}")))
                })
                .collect(),
            other => Err(unfit(&other)),
        }
    }
}

impl<T: Decode> InputKind for Pulled<T> {
    type Taken = Collected<T>;
    const COLLECTED: bool = true;

    fn schema() -> Option<String> {
        T::schema()
    }

    fn take(value: InputValue, refused: &Refused) -> Result<Collected<T>> {
        match value {
            InputValue::Collected(handle) => Ok(Collected::from_host(handle, refused.clone())),
            other => Err(unfit(&other)),
        }
    }
}

impl<K: InputKind> InputKind for Maybe<K> {
    type Taken = Option<K::Taken>;
    const REQUIRED: bool = false;
    const COLLECTED: bool = K::COLLECTED;

    fn schema() -> Option<String> {
        K::schema()
    }

    fn take(value: InputValue, refused: &Refused) -> Result<Option<K::Taken>> {
        match value {
            InputValue::Absent => Ok(None),
            InputValue::Single(blob) if blob.is_json() && blob.data == b"null" => Ok(None),
            value => K::take(value, refused).map(Some),
        }
    }
}

fn unfit(value: &InputValue) -> Failure {
    Failure::permanent(match value {
        InputValue::Absent => "it is required, and the job gives nothing for it",
        InputValue::Collected(_) => "it is not declared as collected, and the host gives it so",
        InputValue::Single(_) | InputValue::Many(_) => {
            "it is declared as collected, and the host does not give it so"
        }
    })
}

fn json_array(blobs: &[Blob]) -> Result<Blob> {
    let mut data = vec![b'['];
    for (n, blob) in blobs.iter().enumerate() {
        if !blob.is_json() {
            return Err(Failure::permanent(format!(
                "element {n} is `{}`, JSON was expected",
                blob.media_type
            )));
        }
        if n > 0 {
            data.push(b',');
        }
        data.extend_from_slice(&blob.data);
    }
    data.push(b']');
    Ok(Blob::json(data))
}

/// The inputs of one run, and what went wrong while they were read.
#[derive(Debug)]
pub struct Arguments {
    inputs: Inputs,
    refused: Vec<(&'static str, Refused)>,
}

impl Arguments {
    /// The inputs as the host gives them.
    #[must_use]
    pub fn new(inputs: Inputs) -> Self {
        Self { inputs, refused: Vec::new() }
    }

    /// Takes one input.
    ///
    /// # Errors
    /// Words for an input that does not fit its parameter.
    pub fn take<K: InputKind>(&mut self, name: &'static str) -> Result<K::Taken> {
        let place = self.inputs.iter_mut().find(|(given, _)| given == name);
        let value = place
            .map_or(InputValue::Absent, |(_, value)| std::mem::replace(value, InputValue::Absent));
        let refused = Refused::default();
        let taken = K::take(value, &refused)
            .map_err(|failure| failure.context(format_args!("input `{name}`")))?;
        if K::COLLECTED {
            self.refused.push((name, refused));
        }
        Ok(taken)
    }

    /// Says which element of a collected input could not be read, if any. Asked when the function has returned.
    ///
    /// # Errors
    /// Words for the element.
    pub fn check(&self) -> Result<()> {
        for (name, refused) in &self.refused {
            check_refused(refused)
                .map_err(|failure| failure.context(format_args!("input `{name}`")))?;
        }
        Ok(())
    }
}

/// The definition of an input.
#[must_use]
pub fn input<K: InputKind>(name: &str, description: &str) -> InputDefinition {
    InputDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        required: K::REQUIRED,
        collected: K::COLLECTED,
        schema: K::schema(),
    }
}

/// Reads the configuration. One that the job does not give is taken as `null`, and then as an empty object.
///
/// # Errors
/// Words for a configuration that does not fit.
pub fn config<T: Decode>() -> Result<T> {
    let text = host::config();
    let absent = text == "null";
    T::decode(Blob::json(text))
        .or_else(|failure| {
            if absent { T::decode(Blob::json("{}")).map_err(|_| failure) } else { Err(failure) }
        })
        .map_err(|failure| failure.context("config"))
}

/// How one kind of result is declared and given.
pub trait OutputKind {
    /// The type of the result.
    type Given;
    /// Whether a run that succeeds has given it.
    const REQUIRED: bool = true;
    /// Whether it has a mapping key for each element.
    const DYNAMIC: bool = false;
    /// The schema of the value, or of each element.
    fn schema() -> Option<String>;
    /// Turns the result into outputs.
    ///
    /// # Errors
    /// Words for a value that has no JSON form.
    fn give(given: Self::Given, name: &str, outputs: &mut Vec<Output>) -> Result<()>;
}

/// A result `T`.
pub struct Plain<T>(PhantomData<T>);
/// A result `Vec<DynamicOutput<T>>`.
pub struct Dynamic<T>(PhantomData<T>);

impl<T: Encode> OutputKind for Plain<T> {
    type Given = T;

    fn schema() -> Option<String> {
        T::schema()
    }

    fn give(given: T, name: &str, outputs: &mut Vec<Output>) -> Result<()> {
        outputs.push(Output { name: name.to_owned(), mapping_key: None, value: given.encode()? });
        Ok(())
    }
}

impl<T: Encode> OutputKind for Dynamic<T> {
    type Given = Vec<DynamicOutput<T>>;
    const DYNAMIC: bool = true;

    fn schema() -> Option<String> {
        T::schema()
    }

    fn give(given: Self::Given, name: &str, outputs: &mut Vec<Output>) -> Result<()> {
        for DynamicOutput { mapping_key, value } in given {
            outputs.push(Output {
                name: name.to_owned(),
                mapping_key: Some(mapping_key),
                value: value.encode()?,
            });
        }
        Ok(())
    }
}

impl<K: OutputKind> OutputKind for Maybe<K> {
    type Given = Option<K::Given>;
    const REQUIRED: bool = false;
    const DYNAMIC: bool = K::DYNAMIC;

    fn schema() -> Option<String> {
        K::schema()
    }

    fn give(given: Self::Given, name: &str, outputs: &mut Vec<Output>) -> Result<()> {
        given.map_or(Ok(()), |given| K::give(given, name, outputs))
    }
}

/// The definition of an output.
#[must_use]
pub fn output<K: OutputKind>(name: &str, description: &str) -> OutputDefinition {
    OutputDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        required: K::REQUIRED,
        dynamic: K::DYNAMIC,
        schema: K::schema(),
    }
}

/// A struct whose fields are the outputs of an op: derive it, and say `#[op(outputs)]`.
#[diagnostic::on_unimplemented(
    message = "the fields of `{Self}` are not outputs",
    note = "add `#[derive(Outputs)]` to the struct, or remove `outputs` from `#[op]` to give it as one value"
)]
pub trait Outputs {
    /// The definitions of the fields.
    #[must_use]
    fn definitions() -> Vec<OutputDefinition>;
    /// The values of the fields.
    ///
    /// # Errors
    /// Words for a value that has no JSON form.
    fn into_outputs(self) -> Result<Vec<Output>>;
}
