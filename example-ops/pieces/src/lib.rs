//! Work on large data piece by piece: `load_pieces` → map → `compute_piece` → collect → `merge_and_analyze`.

use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many numbers a piece holds.
const PIECE_SIZE: u32 = 100;

/// One piece of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Piece {
    /// Which piece it is, from 0.
    pub index: u32,
    /// The numbers in it.
    pub numbers: Vec<u32>,
}

/// What was found out about one piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PieceResult {
    /// Which piece it was.
    pub index: u32,
    /// How many numbers it held.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The largest of them.
    pub largest: u32,
}

/// What was found out about all pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Analysis {
    /// How many pieces there were.
    pub pieces: u64,
    /// How many numbers they held.
    pub count: u64,
    /// The sum of all numbers.
    pub sum: u64,
    /// The mean of all numbers; none where there were none.
    pub mean: Option<f64>,
    /// The largest number; none where there were none.
    pub largest: Option<u32>,
}

/// Loads the data, the numbers 1, 2, 3 and so on, and gives it piece by piece.
#[op(output(dynamic))]
pub fn load_pieces(
    /// How many pieces of 100 numbers there are.
    pieces: u32,
    /// The pieces, `piece_0` first.
    out: &mut Emitter<Piece>,
) -> Result<()> {
    if pieces > u32::MAX / PIECE_SIZE {
        let most = u32::MAX / PIECE_SIZE;
        return Err(Failure::permanent(format!(
            "{pieces} pieces are too many: ask for {most} at most"
        )));
    }
    for index in 0..pieces {
        let first = index * PIECE_SIZE + 1;
        out.emit(
            format!("piece_{index}"),
            Piece { index, numbers: (first..first + PIECE_SIZE).collect() },
        )?;
        step::progress(u64::from(index) + 1, Some(u64::from(pieces)));
    }
    Ok(())
}

/// Works on one piece.
#[op]
pub fn compute_piece(piece: Piece) -> PieceResult {
    PieceResult {
        index: piece.index,
        count: piece.numbers.len() as u64,
        sum: piece.numbers.iter().copied().map(u64::from).sum(),
        largest: piece.numbers.iter().copied().max().unwrap_or(0),
    }
}

/// Puts the results of all pieces together.
#[op]
pub fn merge_and_analyze(results: Collected<PieceResult>) -> Analysis {
    let mut analysis = Analysis { pieces: 0, count: 0, sum: 0, mean: None, largest: None };
    for result in results {
        analysis.pieces += 1;
        analysis.count += result.count;
        analysis.sum += result.sum;
        analysis.largest = analysis.largest.max(Some(result.largest));
    }
    if analysis.count > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a mean is a rounded number")]
        let mean = analysis.sum as f64 / analysis.count as f64;
        analysis.mean = Some(mean);
    }
    analysis
}

export_ops!(load_pieces, compute_piece, merge_and_analyze);

#[cfg(test)]
mod tests {
    use super::*;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    #[test]
    fn pieces_are_loaded_computed_and_merged() {
        let mut out = Emitter::recording();
        load_pieces(3, &mut out).unwrap();
        let results =
            out.into_recorded().into_iter().map(|piece| compute_piece(piece.value)).collect();
        let analysis = merge_and_analyze(results);
        assert_eq!(
            analysis,
            Analysis {
                pieces: 3,
                count: 300,
                sum: 300 * 301 / 2,
                mean: Some(150.5),
                largest: Some(300)
            }
        );
    }

    #[test]
    fn no_pieces_have_no_mean() {
        let analysis = merge_and_analyze([].into_iter().collect());
        assert_eq!((analysis.pieces, analysis.mean, analysis.largest), (0, None, None));
    }

    #[test]
    fn too_many_pieces_are_refused_before_the_first() {
        let outcome = testing::step(OPS, "load_pieces").input("pieces", u32::MAX).run();
        assert_eq!(
            outcome.failure().message(),
            "4294967295 pieces are too many: ask for 42949672 at most"
        );
        assert!(outcome.outputs.is_empty());
    }

    #[test]
    fn the_first_piece_holds_the_first_numbers() {
        let outcome = testing::step(OPS, "load_pieces").input("pieces", 2).run();
        let pieces = outcome.dynamic("out");
        assert_eq!(pieces[0].0, "piece_0");
        assert_eq!(pieces[0].1["numbers"][0], json!(1));
        assert_eq!(pieces[1].1["numbers"][99], json!(200));
        assert_eq!(outcome.progress, Some((2, Some(2))));
    }
}
