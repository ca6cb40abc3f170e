//! Values: bytes with a media type, shared by reference.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// An IANA media type. The frequent ones, above all `application/json`, cost nothing to make or clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Known);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Known {
    /// By its place in [`FREQUENT`].
    Frequent(u8),
    /// One word rather than two: the lists of large fan-ins consist of values.
    Other(Arc<Box<str>>),
}

/// Media types that are not kept anew for each value.
const FREQUENT: [&str; 6] = [
    "application/json",
    "application/octet-stream",
    "text/plain",
    "text/plain; charset=utf-8",
    "image/png",
    "image/jpeg",
];

impl MediaType {
    /// `application/json`.
    pub const JSON: Self = Self(Known::Frequent(0));

    /// The media type written `text`. Nothing is checked: a media type is the op's word.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match (0_u8..).zip(FREQUENT).find(|(_, frequent)| *frequent == text) {
            Some((place, _)) => Self(Known::Frequent(place)),
            None => Self(Known::Other(Arc::new(text.into()))),
        }
    }

    /// Whether the bytes are JSON text.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self.0, Known::Frequent(0))
    }

    /// The media type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Known::Frequent(place) => FREQUENT[usize::from(*place)],
            Known::Other(text) => text,
        }
    }
}

impl Default for MediaType {
    fn default() -> Self {
        Self::JSON
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for MediaType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&<std::borrow::Cow<'de, str>>::deserialize(deserializer)?))
    }
}

/// What passes between ops: bytes and their media type. A clone shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// What the bytes are.
    pub media_type: MediaType,
    /// The bytes; UTF-8 JSON text where the media type says so.
    pub data: Bytes,
}

impl Value {
    /// JSON text as a value. The text is taken as it is.
    #[must_use]
    pub fn json_text(text: impl Into<Bytes>) -> Self {
        Self { media_type: MediaType::JSON, data: text.into() }
    }

    /// A JSON value in its compact form.
    #[must_use]
    pub fn json(value: &serde_json::Value) -> Self {
        Self::json_text(value.to_string())
    }

    /// Bytes of any media type.
    #[must_use]
    pub fn bytes(media_type: &str, data: impl Into<Bytes>) -> Self {
        Self { media_type: MediaType::new(media_type), data: data.into() }
    }

    /// The JSON value that the bytes hold.
    ///
    /// # Errors
    /// The media type is not JSON, or the bytes are not JSON text.
    pub fn to_json(&self) -> Result<serde_json::Value, NotJson> {
        if !self.media_type.is_json() {
            return Err(NotJson::MediaType(self.media_type.clone()));
        }
        serde_json::from_slice(&self.data).map_err(NotJson::Text)
    }
}

/// The stored form of a value: JSON stands as it is (`{"json": …}`), anything else with its
/// media type in base64.
#[derive(Serialize)]
#[serde(untagged)]
enum Stored {
    Json { json: Box<serde_json::value::RawValue> },
    Bytes { media_type: MediaType, base64: String },
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = || {
            let text = std::str::from_utf8(&self.data).ok()?;
            serde_json::value::RawValue::from_string(text.to_owned()).ok()
        };
        match self.media_type.is_json().then(raw).flatten() {
            Some(json) => Stored::Json { json },
            None => Stored::Bytes {
                media_type: self.media_type.clone(),
                base64: BASE64_STANDARD.encode(&self.data),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through a tree: a raw value cannot be read out of an untagged enum.
        let stored = serde_json::Value::deserialize(deserializer)?;
        if let Some(json) = stored.get("json") {
            return Ok(Self::json(json));
        }
        let text = |name: &str| stored.get(name).and_then(serde_json::Value::as_str);
        let (Some(media_type), Some(base64)) = (text("media_type"), text("base64")) else {
            return Err(serde::de::Error::custom(
                "a value is `{\"json\": …}` or `{\"media_type\": …, \"base64\": …}`",
            ));
        };
        let data = BASE64_STANDARD.decode(base64).map_err(serde::de::Error::custom)?;
        Ok(Self::bytes(media_type, data))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.data) {
            Ok(text) if self.media_type.is_json() && text.len() <= 200 => f.write_str(text),
            _ => write!(f, "<{}, {} bytes>", self.media_type, self.data.len()),
        }
    }
}

/// Why a value cannot be read as JSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotJson {
    /// The value is something else.
    #[error("the value is `{0}`, not JSON")]
    MediaType(MediaType),
    /// The bytes are not JSON text.
    #[error("the value is not well-formed JSON")]
    Text(#[source] serde_json::Error),
}
