//! Ops to measure with: bytes in and out without JSON, and work that only takes time.

use dynhost_sdk::prelude::*;
use std::hint::black_box;

/// Gives the bytes back.
#[op]
pub(crate) fn trivial(data: Blob) -> Blob {
    data
}

/// Counts the values of all clones, pulling them one batch after the other.
#[op]
pub(crate) fn count(values: Collected<Blob>) -> usize {
    values.count()
}

/// Emits `count` blobs of `bytes` bytes each, which begin with their number, the lowest byte first.
#[op(output(dynamic))]
pub(crate) fn blobs(count: u64, bytes: usize, out: &mut Emitter<Blob>) -> Result<()> {
    let mut blob = Blob::new("application/octet-stream", vec![b'x'; bytes]);
    for number in 0..count {
        let begin = blob.data.iter_mut().zip(number.to_le_bytes());
        begin.for_each(|(byte, of_number)| *byte = of_number);
        out.emit_ref(number.to_string(), &blob)?;
    }
    Ok(())
}

/// Emits `number` so many times.
#[op(output(dynamic))]
pub(crate) fn repeat(count: u64, number: u64, out: &mut Emitter<u64>) -> Result<()> {
    for key in 0..count {
        out.emit(key.to_string(), number)?;
    }
    Ok(())
}

/// Emits so many numbers, each one higher than the one before, from `first` on.
#[op(output(dynamic))]
pub(crate) fn successive(count: u64, first: u64, out: &mut Emitter<u64>) -> Result<()> {
    for key in 0..count {
        out.emit(key.to_string(), first + key)?;
    }
    Ok(())
}

/// As `trivial`, but emits the bytes instead of returning them.
#[op(output(required))]
pub(crate) fn trivial_emit(data: Blob, result: &mut Output<Blob>) -> Result<()> {
    result.give(data)
}

/// Gives as many bytes back, each of them one higher, so that all of them are touched.
#[op]
pub(crate) fn payload(mut data: Blob) -> Blob {
    for byte in &mut data.data {
        *byte = byte.wrapping_add(1);
    }
    data
}

/// Counts to `iterations` without a pause, and gives what it counted to.
#[op]
pub(crate) fn sleepless(iterations: u64) -> u64 {
    (0..iterations).fold(0, |count, _| black_box(count) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OPS;
    use dynhost_sdk::testing;

    #[test]
    fn bytes_pass_without_json() {
        let blob = Blob::new("application/octet-stream", [0, 255]);
        let outcome = testing::step(OPS, "trivial_emit").input("data", blob.clone()).run();
        assert_eq!(outcome.blob("result"), Some(&blob));
        assert_eq!(testing::definition(OPS, "trivial").inputs[0].schema, None);
        assert_eq!(payload(blob.clone()).data, [1, 0]);
        assert_eq!(trivial(blob.clone()), blob);
    }

    #[test]
    fn blobs_differ() {
        let last = |bytes: usize| {
            let step = testing::step(OPS, "blobs").input("count", 258).input("bytes", bytes);
            step.run().outputs.swap_remove(257).value.data
        };
        assert_eq!(last(9), b"\x01\x01\0\0\0\0\0\0x");
        assert_eq!(last(1), b"\x01");
    }

    #[test]
    fn numbers_follow_each_other() {
        let outcome = testing::step(OPS, "successive").input("count", 2).input("first", 7).run();
        let expected = [("0", 7.into()), ("1", 8.into())];
        assert_eq!(outcome.dynamic("out"), expected);
    }

    #[test]
    fn counting_ends() {
        assert_eq!(sleepless(1000), 1000);
    }
}
