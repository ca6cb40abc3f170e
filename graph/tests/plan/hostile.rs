//! Manifests and schemas whose meaning is far larger than their text: refused or planned in no time.

use std::fmt::Write as _;
use std::sync::Arc;

use dynhost_graph::name::STEP_KEYS;
use dynhost_graph::plan::{MAX_DEPTH, MAX_NODES};
use dynhost_graph::scheduler::{Bounds, Scheduler};
use dynhost_graph::schema::{Shape, clash, validator};
use dynhost_graph::select::Selection;
use serde_json::{Value as Json, json};

use crate::ops::{planned, try_plan};

/// `levels` graphs, each of which uses the one before so many times.
fn graphs(levels: u32, uses: u32) -> String {
    let mut text = "[graphs.g0.nodes.one]\nop = \"numbers/one\"\n".to_owned();
    for level in 1..levels {
        for n in 0..uses {
            let below = level - 1;
            let _ = write!(text, "[graphs.g{level}.nodes.n{n}]\ngraph = \"g{below}\"\n");
        }
    }
    let _ = write!(text, "[nodes.all]\ngraph = \"g{}\"\n", levels - 1);
    text
}

#[test]
fn a_job_of_very_many_nodes_is_refused_at_the_first_too_many() {
    let error = try_plan(&graphs(40, 2)).unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.message, format!("the job has more than {MAX_NODES} nodes"));
    // Uses of graphs alone are as many.
    let empty = graphs(40, 2).replace("[graphs.g0.nodes.one]\nop = \"numbers/one\"", "[graphs.g0]");
    let error = try_plan(&empty).unwrap_err();
    assert_eq!(error.problems()[0].message, problem.message);
}

#[test]
fn graphs_in_graphs_have_a_greatest_depth() {
    planned(&graphs(MAX_DEPTH, 1));
    let error = try_plan(&graphs(5000, 1)).unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.message, format!("more than {MAX_DEPTH} graphs stand in each other"));
}

/// Maps in maps, each of which is a meeting of two.
fn meetings(levels: usize, combine: &str) -> String {
    let mut text = "[nodes.z0]\nop = \"numbers/one\"\n".to_owned();
    for level in 1..=levels {
        let below = level - 1;
        let feed = if level == 1 { "from" } else { "map" };
        for name in ["a", "b"] {
            let _ = write!(
                text,
                "[nodes.{name}{level}]\nop = \"numbers/split\"\ninputs.x = {{ {feed} = \"z{below}\" }}\n"
            );
        }
        let _ = write!(
            text,
            "[nodes.z{level}]\nop = \"numbers/add\"\ncombine = \"{combine}\"\n\
             inputs.x = {{ map = \"a{level}\" }}\ninputs.y = {{ map = \"b{level}\" }}\n"
        );
    }
    text
}

#[test]
fn maps_that_meet_at_every_level_are_planned_and_begun() {
    for combine in ["zip", "cross"] {
        let job = Arc::new(planned(&meetings(30, combine)));
        let mut actions = Vec::new();
        Scheduler::new(Arc::clone(&job), Bounds::default()).start(&mut actions);
        assert!(!actions.is_empty());
        let known = ["z30[a]".parse().unwrap()];
        let selection = Selection::new(&["+z30".parse().unwrap()], &job, &known).unwrap();
        assert!(selection.selects(&"a1".parse().unwrap()));
    }
}

#[test]
fn what_meets_is_named_once_in_a_report() {
    let unrelated = "[nodes.other]\nop = \"numbers/emit\"\n[nodes.bad]\nop = \"numbers/add\"\n\
                     inputs.x = { map = \"z30\" }\ninputs.y = { map = \"other\" }\n";
    let error = try_plan(&(meetings(30, "zip") + unrelated)).unwrap_err();
    assert!(error.to_string().contains("`a30` with `b30`"), "{error}");
    assert!(error.to_string().len() < 2000, "{error}");
}

#[test]
fn maps_in_maps_have_a_greatest_depth() {
    planned(&meetings(STEP_KEYS, "zip"));
    let error = try_plan(&meetings(STEP_KEYS + 1, "zip")).unwrap_err();
    let message = format!("node `z{}` stands in more than {STEP_KEYS} maps", STEP_KEYS + 1);
    assert!(error.problems().iter().any(|problem| problem.message == message), "{error}");
}

/// A schema with `branches` ways into itself, none of which fits what it is compared with.
fn tangle(branches: usize, last: &str) -> Json {
    let again = vec![json!({ "type": "array", "items": { "$ref": "#" } }); branches];
    json!({ "anyOf": again.into_iter().chain([json!({ "type": last })]).collect::<Vec<_>>() })
}

#[test]
fn recursive_schemas_with_many_branches_are_compared_in_no_time() {
    let given = Shape::Schema(Arc::new(tangle(20, "string")));
    assert_eq!(clash(&given, &tangle(20, "integer")), None);
}

#[test]
fn a_schema_of_an_unknown_draft_is_refused() {
    for named in [json!("https://example.com/draft"), json!("")] {
        let error = validator(&json!({ "$schema": named, "type": "object" })).unwrap_err();
        assert!(error.contains("no known draft"), "{error}");
    }
}
