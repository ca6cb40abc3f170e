//! Bytes and what they are: the one form in which data passes between an op and the host.

/// The media type of JSON text.
pub const JSON: &str = "application/json";

/// Bytes with a media type, the interface's `value`.
///
/// As the type of an input or an output it passes the bytes as they are, without JSON in between, and the port has no
/// schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// An IANA media type, such as `image/png`.
    pub media_type: String,
    /// The bytes themselves.
    pub data: Vec<u8>,
}

impl Blob {
    /// Bytes of the given media type.
    pub fn new(media_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { media_type: media_type.into(), data: data.into() }
    }

    /// JSON text as it stands.
    pub fn json(text: impl Into<Vec<u8>>) -> Self {
        Self::new(JSON, text)
    }

    /// Whether the media type says that the bytes are JSON: `application/json`, or one that ends in `+json`.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let essence = self.media_type.split(';').next().unwrap_or_default().trim();
        essence == JSON || essence.ends_with("+json")
    }
}
