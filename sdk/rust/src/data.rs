//! What the types of inputs, outputs and configurations must be able to do.

use crate::{Blob, Failure, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// A type that an op can take: any `DeserializeOwned + JsonSchema` type, as JSON, or a [`Blob`], as it is.
#[diagnostic::on_unimplemented(
    message = "an op cannot take a `{Self}`",
    note = "derive `serde::Deserialize` and `schemars::JsonSchema` for it, or take a `Blob`"
)]
pub trait Decode: Sized {
    /// The JSON Schema of the type; none for bytes of any media type.
    #[must_use]
    fn schema() -> Option<String>;

    /// The JSON Schema of a list of the type; none for bytes of any media type.
    #[must_use]
    fn list_schema() -> Option<String>;

    /// Reads one value.
    ///
    /// # Errors
    /// A permanent failure when the bytes are not a `Self`.
    fn decode(blob: Blob) -> Result<Self>;

    /// Reads several values out of one.
    ///
    /// # Errors
    /// A permanent failure when the bytes are not a JSON array of `Self`.
    fn decode_list(blob: Blob) -> Result<Vec<Self>>;
}

/// A type that an op can give: any `Serialize + JsonSchema` type, as JSON, or a [`Blob`], as it is.
#[diagnostic::on_unimplemented(
    message = "an op cannot give a `{Self}`",
    note = "derive `serde::Serialize` and `schemars::JsonSchema` for it, or give a `Blob`"
)]
pub trait Encode {
    /// The JSON Schema of the type; none for bytes of any media type.
    #[must_use]
    fn schema() -> Option<String>;

    /// The bytes of the value: where it is bytes already, these themselves.
    ///
    /// # Errors
    /// A permanent failure when the value has no JSON form, such as a map whose keys are not texts.
    fn encode_ref(&self) -> Result<Cow<'_, Blob>>;

    /// [`encode_ref`](Self::encode_ref) of a value that is not used any more.
    ///
    /// # Errors
    /// The same.
    fn encode(self) -> Result<Blob>
    where
        Self: Sized,
    {
        self.encode_ref().map(Cow::into_owned)
    }
}

impl<T: DeserializeOwned + JsonSchema> Decode for T {
    fn schema() -> Option<String> {
        Some(schema_text::<T>(SchemaSettings::draft2020_12().for_deserialize()))
    }

    fn list_schema() -> Option<String> {
        <Vec<T> as Decode>::schema()
    }

    fn decode(blob: Blob) -> Result<Self> {
        from_json(&blob)
    }

    fn decode_list(blob: Blob) -> Result<Vec<Self>> {
        from_json(&blob)
    }
}

impl<T: Serialize + JsonSchema> Encode for T {
    fn schema() -> Option<String> {
        Some(schema_text::<T>(SchemaSettings::draft2020_12().for_serialize()))
    }

    fn encode_ref(&self) -> Result<Cow<'_, Blob>> {
        let data = serde_json::to_vec(self)
            .map_err(|error| Failure::permanent(format!("a value has no JSON form: {error}")))?;
        Ok(Cow::Owned(Blob::json(data)))
    }
}

impl Decode for Blob {
    fn schema() -> Option<String> {
        None
    }

    fn list_schema() -> Option<String> {
        None
    }

    fn decode(blob: Blob) -> Result<Self> {
        Ok(blob)
    }

    fn decode_list(blob: Blob) -> Result<Vec<Self>> {
        Ok(vec![blob])
    }
}

impl Encode for Blob {
    fn schema() -> Option<String> {
        None
    }

    fn encode_ref(&self) -> Result<Cow<'_, Blob>> {
        Ok(Cow::Borrowed(self))
    }

    fn encode(self) -> Result<Blob> {
        Ok(self)
    }
}

/// The schema without what says nothing: the dialect is the interface's, and the title of a type that has no name of
/// its own only repeats its type.
fn schema_text<T: JsonSchema>(mut settings: SchemaSettings) -> String {
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    if T::inline_schema() {
        schema.remove("title");
    }
    schema.as_value().to_string()
}

fn from_json<T: DeserializeOwned>(blob: &Blob) -> Result<T> {
    if !blob.is_json() {
        let Blob { media_type, data } = blob;
        return Err(Failure::permanent(format!(
            "JSON was expected, not {} bytes of `{media_type}`",
            data.len()
        )));
    }
    serde_json::from_slice(&blob.data).map_err(|error| Failure::permanent(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_passes_as_json() {
        assert_eq!(7_u32.encode().unwrap(), Blob::json("7"));
        assert_eq!(u32::decode(Blob::json("7")).unwrap(), 7);
    }

    #[test]
    fn bytes_pass_as_they_are() {
        let blob = Blob::new("image/png", [1, 2, 3]);
        assert!(matches!(blob.encode_ref().unwrap(), Cow::Borrowed(same) if *same == blob));
        assert_eq!(blob.clone().encode().unwrap(), blob);
        assert_eq!(Blob::decode(blob.clone()).unwrap(), blob);
        assert_eq!(<Blob as Decode>::schema(), None);
    }

    #[test]
    fn bytes_are_not_read_as_json() {
        let failure = u32::decode(Blob::new("image/png", [1])).unwrap_err();
        assert_eq!(failure.message(), "JSON was expected, not 1 bytes of `image/png`");
    }

    #[test]
    fn json_with_parameters_or_a_suffix_is_json() {
        assert!(Blob::new("application/json; charset=utf-8", []).is_json());
        assert!(Blob::new("application/geo+json", []).is_json());
        assert!(!Blob::new("application/jsonl", []).is_json());
    }

    #[test]
    fn a_schema_says_only_what_counts() {
        assert_eq!(<bool as Decode>::schema().unwrap(), r#"{"type":"boolean"}"#);
        assert_eq!(
            <bool as Decode>::list_schema().unwrap(),
            r#"{"items":{"type":"boolean"},"type":"array"}"#
        );
        assert_eq!(<serde_json::Value as Encode>::schema().unwrap(), "{}");
    }
}
