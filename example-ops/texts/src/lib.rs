//! The texts of a folder in chunks, for `words` to count in.

use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use walk::{Found, GRANTED, has_extension, walk};

/// Which texts, and how they are cut.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The extensions of the files that are texts, upper or lower case; `txt` where nothing is said, all files where
    /// the list is empty.
    pub extensions: Vec<String>,
    /// The bytes of a chunk; 65,536 where nothing is said. A word is never cut, so a chunk may be longer by a word.
    pub chunk_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { extensions: vec!["txt".to_owned()], chunk_bytes: 65_536 }
    }
}

/// Reads the texts of the granted folder and gives them in chunks that end between words.
#[op(output(dynamic))]
pub fn chunks(
    #[config] options: Options,
    /// The chunks as bytes of `text/plain`, file by file in the order of their names. The mapping key is made of the
    /// path and the number of the chunk.
    chunks: &mut Emitter<Blob>,
) -> Result<()> {
    cut_all(Path::new(GRANTED), &options, chunks)
}

fn cut_all(root: &Path, options: &Options, chunks: &mut Emitter<Blob>) -> Result<()> {
    if options.chunk_bytes == 0 {
        return Err(Failure::permanent("config: chunk_bytes: a chunk has 1 byte at least"));
    }
    for found in walk(root, true) {
        match found {
            Found::File(path) if has_extension(&path, &options.extensions) => {
                let file = File::open(root.join(&path)).or_permanent(format_args!("`{path}`"))?;
                cut(file, options.chunk_bytes, |n, chunk| {
                    chunks.emit(mapping_key(&format!("{path} {n}")), Blob::new("text/plain", chunk))
                })
                .map_err(|failure| failure.context(format_args!("`{path}`")))?;
            }
            Found::File(_) => {}
            // A count that leaves something out would be wrong without a word.
            Found::Unreadable(path, problem) => {
                return Err(Failure::permanent(format!("`{path}` cannot be read: {problem}")));
            }
            Found::Unnameable(path) => {
                step::warn(format!("a name in `{path}` is not UTF-8 and is left out"));
            }
        }
    }
    Ok(())
}

/// Cuts a text after a byte that is no letter, as soon as a chunk has `size` bytes.
fn cut(
    mut text: impl Read,
    size: usize,
    mut give: impl FnMut(usize, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let mut chunk = Vec::new();
    let mut count = 0;
    while fill(&mut text, &mut chunk, size)? {
        // A chunk without an end of a word is one long word: it is read on.
        while chunk.len() >= size
            && let Some(end) = chunk.iter().rposition(|byte| !byte.is_ascii_alphabetic())
        {
            let rest = chunk.split_off(end + 1);
            give(count, std::mem::replace(&mut chunk, rest))?;
            count += 1;
        }
    }
    if chunk.is_empty() { Ok(()) } else { give(count, chunk) }
}

/// Reads on until the chunk has `size` bytes, or as many again; says whether there was anything to read.
fn fill(text: &mut impl Read, chunk: &mut Vec<u8>, size: usize) -> io::Result<bool> {
    let wanted = size.checked_sub(chunk.len()).filter(|wanted| *wanted > 0).unwrap_or(size);
    Ok(text.take(wanted as u64).read_to_end(chunk)? > 0)
}

export_ops!(chunks);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::write;

    fn cut_text(text: &str, size: usize) -> Vec<String> {
        let mut chunks = Vec::new();
        cut(text.as_bytes(), size, |n, chunk| {
            assert_eq!(n, chunks.len());
            chunks.push(String::from_utf8(chunk).unwrap());
            Ok(())
        })
        .unwrap();
        chunks
    }

    #[test]
    fn chunks_end_between_words() {
        assert_eq!(cut_text("one two three", 5), ["one ", "two ", "three"]);
        assert_eq!(cut_text("one", 100), ["one"]);
        assert_eq!(cut_text("", 5), [""; 0]);
        assert_eq!(cut_text("incomprehensible", 4), ["incomprehensible"]);
        for size in 1..20 {
            let text = "a bb, ccc\n\n dddd--eeeee f g";
            assert_eq!(cut_text(text, size).concat(), text);
        }
    }

    #[test]
    fn only_texts_are_read() {
        let root = tempfile::tempdir().unwrap();
        write(root.path().join("a.txt"), "one two").unwrap();
        write(root.path().join("b.bin"), "three").unwrap();
        write(root.path().join("c.TXT"), b"f\xfc").unwrap();
        let mut chunks = Emitter::recording();
        cut_all(root.path(), &Options { chunk_bytes: 4, ..Options::default() }, &mut chunks)
            .unwrap();
        let keys: Vec<_> = chunks
            .into_recorded()
            .into_iter()
            .map(|chunk| (chunk.mapping_key, chunk.value.data))
            .collect();
        assert_eq!(
            keys,
            [
                ("a.txt 0".to_owned(), b"one ".to_vec()),
                ("a.txt 1".to_owned(), b"two".to_vec()),
                ("c.TXT 0".to_owned(), b"f\xfc".to_vec())
            ]
        );
    }

    #[test]
    fn a_missing_folder_is_a_failure() {
        let mut chunks = Emitter::recording();
        let failure =
            cut_all(Path::new("/no/such/folder"), &Options::default(), &mut chunks).unwrap_err();
        assert!(failure.message().starts_with("`.` cannot be read: "), "{failure}");
    }
}
