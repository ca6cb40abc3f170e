//! Mapping keys: what they may be, and how to make one out of any text.

/// The most bytes of a mapping key.
pub const MAX_KEY_BYTES: usize = 255;

/// What separates a changed text from its digest in a key that [`mapping_key`] made.
const MARK: char = '~';
const DIGEST_DIGITS: usize = 16;

/// Says what is wrong with a mapping key: it is 1 to 255 bytes without control characters, `[` or `]`.
///
/// # Errors
/// The words for what is wrong.
pub fn check_mapping_key(key: &str) -> std::result::Result<(), String> {
    if key.is_empty() {
        return Err("it is empty".to_owned());
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(format!("it has {} bytes, {MAX_KEY_BYTES} are allowed", key.len()));
    }
    match key.chars().find(|c| is_forbidden(*c)) {
        Some(found) => Err(format!("it contains {found:?}")),
        None => Ok(()),
    }
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || c == '[' || c == ']'
}

/// A valid mapping key for any text, and another one for another text.
///
/// A text that is a valid key is its own key. In any other, what is not allowed becomes `_`, what is too long is cut,
/// and a digest of the whole text follows, so that `a[1]` and `a(1)` stay apart, as do two long names that begin alike.
///
/// ```
/// use dynhost_sdk::mapping_key;
///
/// assert_eq!(mapping_key("notes/été 1.txt"), "notes/été 1.txt");
/// assert_eq!(mapping_key("a[1]"), "a_1_~365a13837e7270c3");
/// ```
#[must_use]
pub fn mapping_key(text: &str) -> String {
    if check_mapping_key(text).is_ok() && !looks_made(text) {
        return text.to_owned();
    }
    let room = MAX_KEY_BYTES - DIGEST_DIGITS - MARK.len_utf8();
    let mut key = String::new();
    for c in text.chars().map(|c| if is_forbidden(c) { '_' } else { c }) {
        if key.len() + c.len_utf8() > room {
            break;
        }
        key.push(c);
    }
    format!("{key}{MARK}{:016x}", digest(text.as_bytes()))
}

/// Whether a text could be mistaken for a key with a digest; such a text gets a digest of its own.
fn looks_made(text: &str) -> bool {
    text.rsplit_once(MARK).is_some_and(|(_, end)| {
        end.len() == DIGEST_DIGITS && end.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// FNV-1a, 64 bits: small, and the same everywhere.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_wrong_is_said() {
        assert!(check_mapping_key("a b/ü").is_ok());
        assert!(check_mapping_key(&"k".repeat(255)).is_ok());
        assert_eq!(check_mapping_key("").unwrap_err(), "it is empty");
        assert_eq!(check_mapping_key("a]").unwrap_err(), "it contains ']'");
        assert_eq!(check_mapping_key("a\n").unwrap_err(), "it contains '\\n'");
        assert_eq!(
            check_mapping_key(&"k".repeat(256)).unwrap_err(),
            "it has 256 bytes, 255 are allowed"
        );
    }

    #[test]
    fn different_texts_get_different_valid_keys() {
        let long = "ü".repeat(200);
        let made = mapping_key("a[1]");
        let texts = [
            "",
            "a",
            "a_1_",
            "a[1]",
            "a]1[",
            "a\n1]",
            &long,
            &format!("{long}x"),
            &format!("{long}y"),
            &made,
            "x~0123456789abcdef",
        ];
        let keys: BTreeSet<String> = texts.iter().map(|text| mapping_key(text)).collect();
        assert_eq!(keys.len(), texts.len());
        for key in keys {
            check_mapping_key(&key).unwrap();
        }
    }
}
