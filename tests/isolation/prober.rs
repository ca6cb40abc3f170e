//! The guest with the two ops `fill` and `look`.

use crate::hand_made::{Guest, escaped};

/// Where a guest has data beside that of its first page.
pub(crate) struct Far {
    at: u32,
    bytes: u32,
    /// They are counted up to this from 0, again and again.
    last: u8,
}

/// Behind what a slot of the pool keeps resident, so that it is restored in another way than the first page.
pub(crate) const SMALL: Far = Far { at: 0x6_0000, bytes: 4096, last: 250 };

/// Images so large that they have a pool of their own, where they take turns: more of a memory is kept there, and restored
/// by copying.
pub(crate) const LARGE: Far = Far { at: 0x2_0000, bytes: 0x5_1000, last: 250 };
pub(crate) const OTHER_LARGE: Far = Far { at: 0x1_0000, bytes: 0x4_8000, last: 240 };

/// What `look` fails with, each of the same length, and where they lie.
const WORDS: [&str; 5] = ["memory", "pages ", "data  ", "table ", "global"];
const WORDS_AT: usize = 128;

/// The module. Its memory has 8 pages of its own and 26 when it has grown, its table 16 elements and
/// 12,016.
pub(crate) fn module(far: &Far) -> Vec<u8> {
    let words = WORDS.concat();
    let (at, end) = (far.at, far.at + far.bytes);
    let far: Vec<u8> = (0..=far.last).cycle().take(far.bytes as usize).collect();
    let mut guest = Guest { ops: &["fill", "look"], memory: "8 26", run: RUN, ..Guest::default() };
    let mut near = guest.below_heap();
    near[WORDS_AT..WORDS_AT + words.len()].copy_from_slice(words.as_bytes());
    let fields = [
        ("WORDS_AT", WORDS_AT.to_string()),
        ("WORDS", words),
        ("FAR_DATA", at.to_string()),
        ("FAR_END", end.to_string()),
        ("FAR_TEXT", escaped(&far)),
        ("NEAR_END", near.len().to_string()),
        ("NEAR_SUM", sum(&near).to_string()),
        ("FAR_SUM", sum(&far).to_string()),
    ];
    let fields =
        fields.iter().fold(FIELDS.to_owned(), |text, (name, value)| text.replace(name, value));
    guest.fields = &fields;
    guest.module()
}

/// As `$sum` does it.
fn sum(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0_i64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

/// The last digit of the value is at the end of the first input's bytes.
const RUN: &str = r"
(if (result i32) (i32.eq (i32.load8_u (local.get $op)) (i32.const 0x66)) ;; f
    (then (call $fill (i32.sub (i32.load8_u (i32.sub
        (i32.add (i32.load offset=20 (local.get $inputs)) (i32.load offset=24 (local.get $inputs)))
        (i32.const 1))) (i32.const 48))))
    (else (call $look)))";

const FIELDS: &str = r#"
(table $table 16 12016 funcref)
(elem (table $table) (i32.const 0) func $one $two)
(elem declare func $stale)
(global $mark (mut i64) (i64.const 7))
(data (i32.const WORDS_AT) "WORDS")
(data (i32.const FAR_DATA) "FAR_TEXT")
(func $one (result i32) (i32.const 1))
(func $two (result i32) (i32.const 2))
(func $stale (result i32) (i32.const 3))

;; Leaves a mark in every byte and element; how many depends on the digit.
(func $fill (param $digit i32) (result i32)
    (drop (memory.grow (i32.mul (local.get $digit) (i32.const 2))))
    (drop (table.grow $table (ref.func $stale) (i32.const 12000)))
    (memory.fill (i32.const 0) (i32.const 0xa5) (i32.shl (memory.size) (i32.const 16)))
    (table.fill $table (i32.const 0) (ref.func $stale) (table.size $table))
    (global.set $mark (i64.const -1))
    ;; Success.
    (memory.fill (i32.const 32) (i32.const 0) (i32.const 16))
    (i32.const 32))

;; Looks at every byte and element before anything is written.
(func $look (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 63)) (i32.const -64)))
    (if (i64.ne (global.get $mark) (i64.const 7)) (then (return (call $fail (i32.const 4)))))
    (if (i32.or (i64.ne (call $sum (i32.const 0) (i32.const NEAR_END)) (i64.const NEAR_SUM))
                (i64.ne (call $sum (i32.const FAR_DATA) (i32.const FAR_END)) (i64.const FAR_SUM)))
        (then (return (call $fail (i32.const 2)))))
    (if (i32.or (call $any (local.get $at) (i32.const FAR_DATA))
                (call $any (i32.const FAR_END) (i32.const 0x80000)))
        (then (return (call $fail (i32.const 0)))))
    (drop (memory.grow (i32.const 18)))
    (if (call $any (i32.const 0x80000) (i32.const 0x1a0000))
        (then (return (call $fail (i32.const 1)))))
    (drop (table.grow $table (ref.null func) (i32.const 12000)))
    (if (call $any_function) (then (return (call $fail (i32.const 3)))))
    (i32.const 32))

(func $sum (param $at i32) (param $end i32) (result i64)
    (local $sum i64)
    (loop $next
        (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31))
            (i64.load8_u (local.get $at))))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1)))
            (local.get $end))))
    (local.get $sum))

;; Whether any byte is not zero, 64 at a time.
(func $any (param $at i32) (param $end i32) (result i32)
    (local $or i64)
    (loop $next
        (local.set $or (i64.or (local.get $or) (i64.or
            (i64.or (i64.or (i64.load (local.get $at)) (i64.load offset=8 (local.get $at)))
                (i64.or (i64.load offset=16 (local.get $at)) (i64.load offset=24 (local.get $at))))
            (i64.or (i64.or (i64.load offset=32 (local.get $at)) (i64.load offset=40 (local.get $at)))
                (i64.or (i64.load offset=48 (local.get $at)) (i64.load offset=56 (local.get $at)))))))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64)))
            (local.get $end))))
    (i64.ne (local.get $or) (i64.const 0)))

(func $any_function (result i32)
    (local $at i32) (local $empty i32)
    (if (i32.ne (call_indirect $table (result i32) (i32.const 0)) (i32.const 1))
        (then (return (i32.const 1))))
    (if (i32.ne (call_indirect $table (result i32) (i32.const 1)) (i32.const 2))
        (then (return (i32.const 1))))
    (local.set $at (i32.const 2))
    (local.set $empty (i32.const 1))
    (loop $next
        (local.set $empty (i32.and (local.get $empty) (ref.is_null (table.get $table (local.get $at)))))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1)))
            (table.size $table))))
    (i32.eqz (local.get $empty)))

;; A permanent failure with one of the words.
(func $fail (param $word i32) (result i32)
    (i32.store8 (i32.const 32) (i32.const 1))
    (i32.store8 (i32.const 40) (i32.const 0))
    (i32.store (i32.const 48) (i32.add (i32.const WORDS_AT) (i32.mul (local.get $word) (i32.const 6))))
    (i32.store (i32.const 52) (i32.const 6))
    (i32.store8 (i32.const 56) (i32.const 0))
    (i32.const 32))
"#;
