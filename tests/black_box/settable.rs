//! Each bound of an attempt that a manifest can set stops a guest, and the words for it name the key to change.

use std::fmt::Write;
use std::fs;

use dynhost::graph::event::Event;

use crate::command::Workshop;
use crate::hand_made::Guest;
use crate::job::{component, run};

/// Each bound of an attempt that a manifest can set: what breaks it, the words, and the key to change.
const SETTABLE: [(&str, &str, &str); 10] = [
    (
        r#"op = "hostile/allocate", limits.memory = "16MiB""#,
        "the memory limit of 16 MiB was exceeded",
        "limits.memory = \"32MiB\"",
    ),
    (
        r#"op = "made/bad", limits.table_elements = 1000"#,
        "the limit on table elements of 1000 elements was exceeded",
        "limits.table_elements = 2000",
    ),
    (
        r#"op = "hostile/loop", limits.fuel = 1000"#,
        "the fuel limit of 1000 units was exceeded",
        "limits.fuel = 2000",
    ),
    (
        r#"op = "hostile/large_value", config.bytes = 2000000, limits.output = "1MiB""#,
        "the limit on the size of an output of 1 MiB was exceeded: output `result` has 2000000 bytes",
        "limits.output = \"2MiB\"",
    ),
    (
        r#"op = "hostile/flood_outputs", config = { count = 100, size = 1000 }, limits.output_total = "10KiB""#,
        "the limit on the size of all outputs of 10 KiB was exceeded: output `out` would go beyond it",
        "limits.output_total = \"1MiB\"",
    ),
    (
        r#"op = "hostile/large_value", config.bytes = 2000000, limits.host_allocation = "1MiB""#,
        "the limit on what a call may make the host allocate of 1 MiB was exceeded",
        "limits.host_allocation = \"2MiB\"",
    ),
    (
        r#"op = "machine/touch", config = { deed = "hoard", path = "/data/a.txt" }, limits.resources = 50, grants.fs = [{ host = "in", guest = "/data", access = "read" }]"#,
        "the limit on open resources of 50 resources was exceeded",
        "limits.resources = 100",
    ),
    (
        r#"op = "hostile/nested", config.depth = 11, limits.json_depth = 10"#,
        "the limit on the nesting of JSON of 10 levels was exceeded: output `result` is nested deeper",
        "limits.json_depth = 20",
    ),
    (
        r#"op = "hostile/flood_outputs", max_clones = 100"#,
        "the limit on clones of 100 elements was exceeded: output `out` has more elements",
        "max_clones = 200",
    ),
    (
        r#"op = "hostile/loop", timeout = "1s""#,
        "it did not end within its timeout of 1 s",
        "timeout = \"1h\"",
    ),
];

#[test]
fn each_limit_of_a_manifest_stops_the_guest_and_is_named() {
    let grow = "(if (i32.eq (table.grow (ref.null func) (i32.const 2000)) (i32.const -1)) (then (unreachable))) \
                (i32.const 0)";
    let guest = Guest { fields: "(table 1 funcref)", run: grow, ..Guest::default() };
    let workshop = Workshop::new();
    workshop.write("ops/made.wasm", guest.module());
    fs::create_dir(workshop.path().join("in")).expect("a folder");
    workshop.write("in/a.txt", "text");
    let mut text = "job.name = \"limits\"\n[components]\n".to_owned();
    let machine = component("machine");
    let _ = write!(
        text,
        "hostile = \"ops/hostile.wasm\"\nmade = \"ops/made.wasm\"\nmachine = '{}'\n[nodes]\n",
        machine.display()
    );
    for (number, (node, ..)) in SETTABLE.iter().enumerate() {
        let _ = writeln!(text, "n{number} = {{ {node} }}");
    }
    workshop.write("limits.toml", text);
    let output = workshop.run(&["run", "limits.toml", "--ephemeral"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for (number, (_, words, key)) in SETTABLE.iter().enumerate() {
        let step = format!("error: step `n{number}` failed (limits.toml:");
        let (_, rest) = said.split_once(&step).unwrap_or_else(|| panic!("n{number}: {said}"));
        let told: Vec<&str> = rest.lines().skip(1).take(2).map(str::trim).collect();
        assert_eq!(told[0], *words, "{said}");
        assert!(told[1].starts_with("help: ") && told[1].contains(&format!("`{key}`")), "{said}");
        assert!(told[1].contains(&format!("of node `n{number}`")), "{said}");
    }
}

/// The log of a step is bounded by what the manifest says, and says so where it is cut.
#[test]
fn the_limit_on_log_text_is_that_of_the_manifest() {
    let ran = run(
        "nodes.flood = { op = \"hostile/flood_log\", config = { count = 1000, size = 100 }, limits.log = \"10KiB\" }",
    )
    .succeeded();
    let messages: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LogWritten { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    let (last, others) = messages.split_last().expect("there are messages");
    assert_eq!(
        *last,
        "the step's log is full at its limit of 10 KiB; what follows is dropped (`limits.log`)"
    );
    // Of each, the text, a field of eleven bytes, and 64 bytes for line and field.
    assert_eq!(others.len(), (10 << 10) / (100 + 11 + 128));
}
