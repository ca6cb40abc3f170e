//! Where the machine gives too little address space for the usual pool of guests.

use std::process::{Command, Output};

use crate::command::{Workshop, binary};

const JOB: &str = "job.name = \"few\"\ncomponents.basics = \"ops/basics.wasm\"\n";
const NODES: &str = r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 100 }
nodes.twice = { op = "basics/multiply_by_two", inputs.x.map = "numbers", limits = { memory = "1MiB", fuel = 1000000 } }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "twice" }
outputs.sum.from = "sum"
"#;

/// Runs a job of these nodes in a shell that bounds the address space to so many GiB.
fn bounded(gib: u64, nodes: &str, settings: &str) -> Output {
    let workshop = Workshop::new();
    workshop.write("few.toml", format!("{JOB}{nodes}"));
    let command = format!(
        "ulimit -v {}; exec '{}' run few.toml --ephemeral {settings}",
        gib << 20,
        binary().display()
    );
    let environment = workshop.dynhost(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).current_dir(workshop.path());
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().expect("there is a shell")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The last one would do for the engine that does not count fuel, and not for the other beside it.
#[test]
fn a_smaller_pool_is_taken_and_named() {
    for (gib, instances) in [(1_000, 16), (2_000, 64), (8_000, 250), (16_000, 250)] {
        let output = bounded(gib, NODES, "--max-concurrency 4");
        let said = said(&output);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "sum: 9900\n", "{said}");
        let words = format!(
            "there is room for {instances} guests at once instead of 1000, and no run has more than {} steps at once",
            instances / 2
        );
        assert!(said.contains(&words) && said.contains("(`ulimit -v`)"), "{said}");
    }
}

#[test]
fn the_concurrency_follows_from_the_pool() {
    let output = bounded(1_000, NODES, "--max-concurrency 9");
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    let words = "8 steps run at once instead of 9: there is room for 16 guests at once";
    assert!(said.contains(words), "{said}");
    assert_eq!(said.matches("there is room for").count(), 1, "{said}");
}

/// Steps of each node have to find room while those before it are suspended.
#[test]
fn a_job_with_more_nodes_than_there_is_room_for_is_refused() {
    let nodes = |count: u32| {
        let node = |n| format!("nodes.n{n} = {{ op = \"basics/emit_ten\" }}\n");
        (0..count).map(node).collect::<String>()
    };
    assert!(bounded(1_000, &nodes(7), "").status.success());
    let output = bounded(1_000, &nodes(8), "");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the job has 8 nodes, and there is room for 7"), "{said}");
}

#[test]
fn what_is_too_little_for_any_pool_is_an_error_with_words() {
    let output = bounded(20, NODES, "");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in
        ["room for 16 guests at once", "may have 20 GiB", "raise the bound (`ulimit -v unlimited`"]
    {
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{said}");
    }
}
