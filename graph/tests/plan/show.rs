//! A job as lines of text, for tests to compare.

use std::fmt::Write as _;

use dynhost_graph::job::{Job, Origin, OutputRef, ScopeId, Source};

/// One line per node in the order of the job, then one per output:
/// `size [list.files]: file = element of [list.files]`.
pub(crate) fn lines(job: &Job) -> Vec<String> {
    let nodes = job.nodes.iter().map(|node| {
        let mut line = format!("{} {}", node.name, scope(job, node.scope));
        for (input, wired) in node.op.inputs.iter().zip(&node.inputs) {
            if let Some(wired) = wired {
                write!(line, "; {} = {}", input.name, source(job, wired)).unwrap();
            }
        }
        for after in &node.after {
            write!(line, "; after {}", job.node(after.node).name).unwrap();
        }
        line
    });
    let outputs = job.outputs.iter();
    let outputs = outputs.map(|one| format!("-> {} = {}", one.name, source(job, &one.source)));
    nodes.chain(outputs).collect()
}

/// `[list.files][split.parts]`.
pub(crate) fn scope(job: &Job, id: ScopeId) -> String {
    let one = job.scope(id);
    let outer = match one.parent {
        None => return "[]".to_owned(),
        Some(ScopeId::ROOT) => String::new(),
        Some(parent) => scope(job, parent),
    };
    match &one.origin {
        Origin::Root => unreachable!("the root has no parent"),
        Origin::FanOut(of) => format!("{outer}[{}]", output(job, *of)),
        Origin::Batch { of, bounds } => {
            let items = bounds.max_items.map(|most| format!(" {most} items"));
            let bytes = bounds.max_bytes.map(|most| format!(" {most} bytes"));
            let bounds = [items, bytes].into_iter().flatten().collect::<String>();
            format!("{outer}[{}:{bounds}]", output(job, *of))
        }
        Origin::Zip { parts, drop_missing } => {
            let parts: Vec<_> = parts.iter().map(|part| scope(job, *part)).collect();
            let missing = if *drop_missing { ", drop" } else { "" };
            format!("{outer}[zip {}{missing}]", parts.join(" "))
        }
        Origin::Cross { of } => format!("{outer}[cross {}]", scope(job, *of)),
    }
}

fn source(job: &Job, of: &Source) -> String {
    match of {
        Source::Value(value) => format!("{value:?}"),
        Source::Output(of) => output(job, *of),
        Source::Element(of) => format!("element of {}", scope(job, *of)),
        Source::Collect(id) => {
            let collect = job.collect(*id);
            format!("collect {} of {}", scope(job, collect.scope), source(job, &collect.of))
        }
        Source::List(list) => {
            let list: Vec<_> = list.iter().map(|one| source(job, one)).collect();
            format!("({})", list.join(", "))
        }
    }
}

fn output(job: &Job, of: OutputRef) -> String {
    let node = job.node(of.node);
    format!("{}.{}", node.name, node.op.outputs[of.output as usize].name)
}
