//! The same bytes on every machine, where WebAssembly leaves a choice to it: the bits of a NaN, and relaxed SIMD.
//!
//! One module is run by the host, with and without fuel, and by wasmtime with settings of other hosts: not optimized, for a
//! processor that has little, without a pool.

use std::fmt::Write;

use dynhost::engine_config;
use dynhost::graph::scheduler::JobOutputValue;
use wasmtime::{
    Config, Engine, Instance, InstanceAllocationStrategy, Module, OptLevel, Store, Val,
};

use crate::hand_made::{Guest, escaped};
use crate::job::Job;

/// Where operands and results lie in the memory of the guest, sixteen bytes each.
const OPERANDS: usize = 512;
const RESULTS: usize = 256;

/// What is computed, of operands by their number.
const COMPUTED: [&str; 16] = [
    // NaN: that of 0/0, of a root, of a scalar, of a NaN with other bits, of an infinity times 0.
    "(f32x4.div $0 $0)",
    "(f64x2.sqrt $1)",
    "(f32x4.splat (f32.div (f32.load (i32.const 512)) (f32.load (i32.const 512))))",
    "(f32x4.add $2 $3)",
    "(f32x4.mul $2 $0)",
    // Relaxed SIMD, with operands for which processors differ.
    "(f32x4.relaxed_madd $3 $3 $4)",
    "(f64x2.relaxed_nmadd $5 $5 $6)",
    "(f32x4.relaxed_min $7 $8)",
    "(f32x4.relaxed_max $7 $8)",
    "(i32x4.relaxed_trunc_f32x4_s $9)",
    "(i32x4.relaxed_trunc_f32x4_u $9)",
    "(i8x16.relaxed_swizzle $10 $11)",
    "(i8x16.relaxed_laneselect $10 $12 $13)",
    "(i16x8.relaxed_q15mulr_s $14 $14)",
    "(i16x8.relaxed_dot_i8x16_i7x16_s $12 $12)",
    "(i32x4.relaxed_dot_i8x16_i7x16_add_s $12 $12 $10)",
];
/// How many of them are about NaN.
const NANS: usize = 5;

type Lanes = [u8; 16];

fn of_words(words: [u32; 4]) -> Lanes {
    std::array::from_fn(|at| words[at / 4].to_le_bytes()[at % 4])
}

fn of_floats(floats: [f32; 4]) -> Lanes {
    of_words(floats.map(f32::to_bits))
}

fn of_longs(long: u64) -> Lanes {
    std::array::from_fn(|at| long.to_le_bytes()[at % 8])
}

/// The numbers 1 to 16.
const COUNTED: Lanes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// Four bytes, four times.
fn repeated(bytes: [u8; 4]) -> Lanes {
    std::array::from_fn(|at| bytes[at % 4])
}

fn operands() -> [Lanes; 15] {
    let f64s = |value: f64| of_longs(value.to_bits());
    let two = |power: i32| 2_f64.powi(power);
    [
        [0; 16],
        f64s(-1.0),
        of_words([0x7fa0_0001, 0xffc1_2345, 0x7f80_0000, 0x3f80_0000]),
        of_floats([1.0 + 2_f32.powi(-12); 4]),
        of_floats([-1.0 - 2_f32.powi(-11); 4]),
        f64s(1.0 + two(-27)),
        f64s(1.0 + two(-26)),
        of_floats([-0.0, 0.0, f32::NAN, -0.0]),
        of_floats([0.0, -0.0, 1.0, f32::NAN]),
        of_floats([f32::NAN, 1e20, -1e20, 1.5]),
        COUNTED,
        [0, 1, 15, 16, 17, 31, 32, 100, 127, 128, 200, 255, 14, 13, 12, 11],
        repeated([0x80, 0x01, 0x7f, 0xff]),
        repeated([0x0f, 0xf0, 0x80, 0x7f]),
        repeated([0x00, 0x80, 0x00, 0x80]),
    ]
}

/// What comes of it where nothing is left to the machine: the deterministic profile of WebAssembly.
fn expected() -> [Lanes; 16] {
    const NAN: u32 = 0x7fc0_0000;
    const MINUS: u32 = 0x8000_0000;
    let [.., chosen, mask, _] = operands();
    let select = |at: usize| (COUNTED[at] & mask[at]) | (chosen[at] & !mask[at]);
    [
        of_words([NAN; 4]),
        of_longs(0x7ff8_0000_0000_0000),
        of_words([NAN; 4]),
        of_words([NAN, NAN, 0x7f80_0000, 0x4000_0400]),
        of_words([NAN, NAN, NAN, 0]),
        // Rounded once: 2^-24, and -2^-54.
        of_words([0x3380_0000; 4]),
        of_longs(0xbc90_0000_0000_0000),
        of_words([MINUS, MINUS, NAN, NAN]),
        of_words([0, 0, NAN, NAN]),
        of_words([0, 0x7fff_ffff, 0x8000_0000, 1]),
        of_words([0, 0xffff_ffff, 0, 1]),
        [1, 2, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 14, 13, 12],
        std::array::from_fn(select),
        of_words([0x7fff_7fff; 4]),
        of_words([0x3f02_4001; 4]),
        of_words([0x0403_8104, 0x0807_8508, 0x0c0b_890c, 0x100f_8d10]),
    ]
}

/// A guest that computes all of it, and gives the bytes.
fn module() -> Vec<u8> {
    let mut run = String::new();
    for (number, computed) in COMPUTED.iter().enumerate() {
        let mut text = (*computed).to_owned();
        for operand in (0..operands().len()).rev() {
            let load = format!("(v128.load (i32.const {}))", OPERANDS + 16 * operand);
            text = text.replace(&format!("${operand}"), &load);
        }
        let _ = write!(run, "(v128.store (i32.const {}) {text})", RESULTS + 16 * number);
    }
    run += "(i32.const 0)";
    // The result: a list at 32 of one output `result`, whose bytes are the results.
    let mut below = vec![0; RESULTS];
    let mut word = |at: usize, word: u32| below[at..at + 4].copy_from_slice(&word.to_le_bytes());
    for (at, value) in
        [(8, 32), (12, 1), (32, 96), (36, 6), (52, 112), (56, 24), (60, 256), (64, 256)]
    {
        word(at, value);
    }
    below[96..102].copy_from_slice(b"result");
    below[112..136].copy_from_slice(b"application/octet-stream");
    let fields = format!(
        "(data (i32.const 0) \"{}\") (data (i32.const {OPERANDS}) \"{}\")",
        escaped(&below),
        escaped(&operands().concat())
    );
    Guest { fields: &fields, run: &run, ..Guest::default() }.module()
}

/// What comes of it in an engine of these settings.
fn computed(config: &mut Config, fuel: bool) -> Vec<Lanes> {
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .epoch_interruption(false)
        .consume_fuel(fuel);
    let engine = Engine::new(config).expect("an engine");
    let module = Module::new(&engine, module()).expect("it is a module");
    let mut store = Store::new(&engine, ());
    if fuel {
        store.set_fuel(1_000_000).expect("fuel is counted");
    }
    let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let run = instance.get_func(&mut store, "dynhost:op/op@0.1.0#run").expect("it is exported");
    run.call(&mut store, &[const { Val::I32(0) }; 4], &mut [Val::I32(1)]).expect("it ends");
    let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
    let results = &memory.data(&store)[RESULTS..OPERANDS];
    results.chunks_exact(16).map(|lanes| lanes.try_into().expect("sixteen bytes")).collect()
}

/// Sets what a processor has that is far from this one: SIMD, and nothing that was added later.
#[expect(unsafe_code, reason = "every processor that runs these tests has what is enabled")]
fn little_processor(config: &mut Config) {
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        // With a target that is named, nothing is found out about the processor.
        config.target("x86_64-unknown-linux-gnu").expect("wasmtime compiles for it");
        for feature in ["has_sse3", "has_ssse3", "has_sse41"] {
            unsafe { config.cranelift_flag_enable(feature) };
        }
    }
}

#[test]
fn the_host_computes_what_is_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bits.wasm");
    std::fs::write(&path, module()).expect("a file");
    for limits in ["", ", limits.fuel = 1000000"] {
        let nodes = format!(
            "nodes.bits = {{ op = \"made/bad\"{limits} }}\noutputs.bits.from = \"bits.result\""
        );
        let ran = Job::over(&[("made", &path)], &nodes).run().succeeded();
        let [(_, JobOutputValue::Single(value))] = &ran.result.outputs[..] else {
            panic!("{:?}", ran.result)
        };
        assert_eq!(value.data.to_vec(), expected().concat(), "{limits}");
    }
}

#[test]
fn other_hosts_compute_the_same() {
    let mut plain = engine_config();
    assert_eq!(computed(&mut plain, false), expected());
    let mut not_optimized = engine_config();
    assert_eq!(computed(not_optimized.cranelift_opt_level(OptLevel::None), true), expected());
    let mut small = engine_config();
    assert_eq!(computed(small.cranelift_opt_level(OptLevel::SpeedAndSize), false), expected());
    for level in [OptLevel::None, OptLevel::Speed] {
        let mut little = engine_config();
        little_processor(&mut little);
        assert_eq!(computed(little.cranelift_opt_level(level), false), expected());
    }
}

/// Without the settings that make them the same, the bytes are others, on the processors that this is known of.
#[test]
fn without_the_settings_they_would_differ() {
    let mut machine_nans = engine_config();
    let nans = computed(machine_nans.cranelift_nan_canonicalization(false), false);
    assert_ne!(nans[..NANS], expected()[..NANS]);
    if cfg!(target_arch = "x86_64") {
        let mut relaxed = engine_config();
        let relaxed = computed(relaxed.relaxed_simd_deterministic(false), false);
        assert_eq!(relaxed[..NANS], expected()[..NANS]);
        assert_ne!(relaxed[NANS..], expected()[NANS..]);
    }
}
