//! Many steps: what is kept is what is in flight, and nothing is forgotten.

use dynhost_graph::event::{Failure, RunStatus, SkipReason, Violation};
use dynhost_graph::job::Source;

use crate::acceptance::{ROOT, mapped, numbers, sum};
use crate::draft::{Draft, Out, from};
use crate::script::{Call, Ops, Script};
use crate::simulator::{Simulation, bounds};
use crate::trace::Outcome;

/// Elements of each level: the acceptance case has 100; a debug build takes fewer.
const EACH: i64 = if cfg!(debug_assertions) { 30 } else { 100 };

/// Three levels of fan-outs, collected level by level: 1,010,100 steps and their collects.
#[test]
fn three_levels_of_a_hundred_with_one_place_and_with_sixteen() {
    let mut draft = Draft::new();
    let top = draft.node("top", ROOT, [], &[Out::Dynamic]);
    let one = draft.fan_out(top, 0);
    let middle = draft.node("middle", one, [Source::Element(one)], &[Out::Dynamic]);
    let two = draft.fan_out(middle, 0);
    let bottom = draft.node("bottom", two, [Source::Element(two)], &[Out::Dynamic]);
    let three = draft.fan_out(bottom, 0);
    let leaf = draft.node("leaf", three, [Source::Element(three)], &[Out::Required]);
    let inner = draft.collect(three, from(leaf, 0));
    let inner_sum = draft.node("inner_sum", two, [inner], &[Out::Required]);
    let outer = draft.collect(two, from(inner_sum, 0));
    let outer_sum = draft.node("outer_sum", one, [outer], &[Out::Required]);
    let all = draft.collect(one, from(outer_sum, 0));
    let total = draft.node("total", ROOT, [all], &[Out::Required]);
    draft.output(from(total, 0));
    let job = draft.finish();
    let yields = |call: &Call<'_>| numbers(EACH)(call);
    let ops = ["inner_sum", "outer_sum", "total"].iter().fold(
        Ops::new()
            .op("top", yields)
            .op("middle", yields)
            .op("bottom", yields)
            .op("leaf", |_| Script::default().give(0, 1)),
        |ops, name| ops.op(name, sum),
    );
    for concurrency in [1, 16] {
        let mut simulation =
            Simulation::new(job.clone(), ops.clone()).bounds(bounds(concurrency, 64));
        simulation.record = false;
        let trace = simulation.run();
        assert_eq!(trace.output(0), (EACH * EACH * EACH).to_string());
        assert_eq!(trace.status, Some(RunStatus::Succeeded));
        // At each level, what the yielders that run at once have emitted.
        let bound = 1 + 3 * 64 * usize::try_from(concurrency).expect("small");
        assert!(trace.most_frames <= bound, "{} frames", trace.most_frames);
    }
}

/// A fan-out of 20,000 whose last element breaks the yielding step: a duplicate key (rule 8).
#[test]
fn twenty_thousand_clones_finish_though_the_last_key_is_bad() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    let ops = Ops::new().op("clone", sum).op("numbers", |call| {
        let mut script = numbers(20_000)(call);
        let (output, key) = ("out0".to_owned(), "19999".to_owned());
        let violation = Violation::DuplicateKey { output, key };
        script.fails = Some(Failure::BadOutput { violation });
        script
    });
    let trace = Simulation::new(draft.finish(), ops).run();
    assert_eq!(trace.ended.len(), 20_000);
    assert_eq!(trace.failures, ["numbers"]);
    let upstream = SkipReason::Upstream { node: "numbers".into() };
    assert_eq!(trace.outcome("total"), Some(&Outcome::Skipped(upstream)));
    assert_eq!(trace.status, Some(RunStatus::Failed));
}
