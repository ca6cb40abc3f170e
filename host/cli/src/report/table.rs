//! Columns of text.

use console::{Alignment, measure_text_width, pad_str};

/// A column's head, and on which side its cells stand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Left(head) | Self::Right(head) => head,
        }
    }

    fn alignment(self) -> Alignment {
        match self {
            Self::Left(_) => Alignment::Left,
            Self::Right(_) => Alignment::Right,
        }
    }
}

/// Rows below the heads of their columns, each as wide as its widest cell. No blanks stand at the end
/// of a line.
pub(crate) fn table<const N: usize>(columns: [Column; N], rows: &[[String; N]]) -> String {
    let heads = columns.map(|column| column.head().to_owned());
    let lines = || std::iter::once(&heads).chain(rows);
    let width = |at: usize| lines().map(|row| measure_text_width(&row[at])).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in lines() {
        let cells = row.iter().zip(columns).zip(widths).map(|((cell, column), width)| {
            pad_str(cell, width, column.alignment(), None).into_owned()
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names and what is said of them, one below the other.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = pairs.iter().map(|(name, text)| format!("{name:width$}  {text}"));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let rows = [["a", "1", "x"], ["größe", "12", ""]].map(|row| row.map(str::to_owned));
        let columns = [Column::Left("NODE"), Column::Right("N"), Column::Left("WHY")];
        assert_eq!(table(columns, &rows), "NODE    N  WHY\na       1  x\ngröße  12\n");
        assert_eq!(table(columns, &[]), "NODE  N  WHY\n");
    }
}
