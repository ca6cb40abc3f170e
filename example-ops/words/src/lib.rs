//! Count words: `count` in each chunk of a text, `merge` over all chunks.
//!
//! A word is a run of the letters A to Z, upper and lower case being the same; everything else separates words. These
//! commands say the same of the texts in a folder:
//!
//! ```sh
//! export LC_ALL=C
//! find DIR -type f -iname '*.txt' -exec sed '' {} + |
//!     tr -cs A-Za-z '\n' | tr A-Z a-z | grep . | sort | uniq -c | sort -k1,1nr -k2
//! ```

use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// How often one word occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WordCount {
    /// The word, in lower case.
    pub word: String,
    /// How often it occurs.
    pub count: u64,
}

/// The words of all chunks.
#[derive(Clone, Debug, PartialEq, Eq, Outputs)]
pub struct Words {
    /// Each word with its count: the most frequent first, those of one frequency in the order of the alphabet.
    pub words: Vec<WordCount>,
    /// How many words there are.
    pub total: u64,
    /// How many different words there are.
    pub distinct: u64,
}

/// Counts the words of one chunk of text.
#[op]
pub fn count(
    /// Bytes in which words are runs of the letters A to Z.
    chunk: Blob,
) -> BTreeMap<String, u64> {
    let mut counts: HashMap<&[u8], u64> = HashMap::new();
    for word in chunk.data.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty())
    {
        *counts.entry(word).or_default() += 1;
    }
    let mut lower = BTreeMap::new();
    for (word, count) in counts {
        *lower.entry(String::from_utf8_lossy(word).to_ascii_lowercase()).or_default() += count;
    }
    lower
}

/// Adds up the counts of all chunks.
#[op(outputs)]
pub fn merge(counts: Collected<BTreeMap<String, u64>>) -> Words {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for (word, count) in counts.flatten() {
        *all.entry(word).or_default() += count;
    }
    let (total, distinct) = (all.values().sum(), all.len() as u64);
    let mut words: Vec<_> =
        all.into_iter().map(|(word, count)| WordCount { word, count }).collect();
    // Stable: words of one frequency stay in the order of the alphabet.
    words.sort_by_key(|word| std::cmp::Reverse(word.count));
    Words { words, total, distinct }
}

export_ops!(count, merge);

#[cfg(test)]
mod tests {
    use super::*;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    fn text(text: &str) -> Blob {
        Blob::new("text/plain", text)
    }

    #[test]
    fn everything_but_letters_separates_words() {
        let counts = count(text("Don't stop: don\u{2019}t STOP, na\u{ef}ve 4u"));
        let counts: Vec<_> = counts.iter().map(|(word, count)| (&**word, *count)).collect();
        assert_eq!(counts, [("don", 2), ("na", 1), ("stop", 2), ("t", 2), ("u", 1), ("ve", 1)]);
        assert!(count(text("")).is_empty());
    }

    #[test]
    fn the_most_frequent_word_comes_first() {
        let chunks = ["b a", "c b", "c"].map(|chunk| count(text(chunk)));
        let words = merge(chunks.into_iter().collect());
        let counts: Vec<_> = words.words.iter().map(|word| (&*word.word, word.count)).collect();
        assert_eq!(counts, [("b", 2), ("c", 2), ("a", 1)]);
        assert_eq!((words.total, words.distinct), (5, 3));
    }

    #[test]
    fn a_chunk_passes_without_json() {
        let outcome = testing::step(OPS, "count").input("chunk", text("x y x")).run();
        assert_eq!(outcome.json("result"), json!({"x": 2, "y": 1}));
    }
}
