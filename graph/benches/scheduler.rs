//! What a step costs in the scheduler, and what a finished clone leaves behind for a collect.
//!
//! A generator of keys through a chain of two clones into a collect, at three sizes: both
//! figures should stay where they are as the size grows. Run with `cargo bench -p dynhost-graph`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use dynhost_graph::definition::{InputDefinition, OpDefinition, OutputDefinition};
use dynhost_graph::event::Event;
use dynhost_graph::grant::Grants;
use dynhost_graph::job::{
    Collect, CollectId, Job, JobOutput, Node, NodeId, Origin, OutputRef, Policy, Scope, ScopeId,
    Source,
};
use dynhost_graph::name::MappingKey;
use dynhost_graph::scheduler::{
    Action, Bounds, Credit, Dispatch, JobOutputValue, Scheduler, StepId,
};
use dynhost_graph::value::Value;

fn main() {
    println!("{:>10} {:>14} {:>12} {:>16}", "clones", "steps", "ns per step", "bytes per clone");
    for clones in [10_000, 100_000, 1_000_000] {
        let before = resident();
        let mut run = Run::new(clones);
        let began = Instant::now();
        run.until_collected();
        let took = began.elapsed();
        let kept = resident().saturating_sub(before) / clones;
        run.finish();
        let steps = 2 * clones + 2;
        let each = took.as_nanos() / u128::from(steps);
        println!("{clones:>10} {steps:>14} {each:>12} {kept:>16}");
    }
}

/// Bytes of memory that the process has, where the system says.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

struct Run {
    scheduler: Scheduler,
    clones: u64,
    emitted: u64,
    credit: u64,
    granted: u64,
    yielder: Option<Dispatch>,
    suspended: bool,
    waiting: VecDeque<Dispatch>,
    collecting: Option<Dispatch>,
    actions: Vec<Action>,
}

impl Run {
    fn new(clones: u64) -> Self {
        let window = Credit { items: 1024, bytes: 64 << 20 };
        let bounds = Bounds { max_concurrency: 8, look_ahead: 8, window };
        Self {
            scheduler: Scheduler::new(Arc::new(job()), bounds),
            clones,
            emitted: 0,
            credit: 0,
            granted: 0,
            yielder: None,
            suspended: false,
            waiting: VecDeque::new(),
            collecting: None,
            actions: Vec::new(),
        }
    }

    fn until_collected(&mut self) {
        self.scheduler.start(&mut self.actions);
        self.carry_out();
        while self.collecting.is_none() {
            if let Some(clone) = self.waiting.pop_front() {
                self.succeed(&clone, true);
            } else {
                self.go_on_emitting();
            }
            self.carry_out();
        }
    }

    fn go_on_emitting(&mut self) {
        let Some(yielder) = self.yielder.take() else { return };
        if self.emitted == self.clones {
            return self.succeed(&yielder, false);
        }
        if self.credit == 0 && !self.suspended {
            self.suspended = true;
            self.scheduler.suspended(yielder.id, self.granted, &mut self.actions);
        } else if self.credit > 0 {
            self.credit -= 1;
            let event = Event::OutputEmitted {
                step: yielder.step.clone(),
                attempt: 1,
                output: "out0".into(),
                key: MappingKey::new(&self.emitted.to_string()).expect("a number is a key"),
                value: text_of(self.emitted),
            };
            self.emitted += 1;
            self.scheduler.apply(yielder.id, &event, &mut self.actions);
        }
        self.yielder = Some(yielder);
    }

    /// Ends a step, with its static output if it has one.
    fn succeed(&mut self, dispatch: &Dispatch, gives: bool) {
        let outputs = gives.then(|| ("out0".into(), text_of(u64::from(dispatch.attempt))));
        let event = Event::StepSucceeded {
            step: dispatch.step.clone(),
            attempt: 1,
            outputs: outputs.into_iter().collect(),
            took_us: 0,
            reused: None,
        };
        self.scheduler.apply(dispatch.id, &event, &mut self.actions);
    }

    fn carry_out(&mut self) {
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::Run(dispatch) => self.begin(dispatch),
                Action::Grant { id, credit } => self.grant(id, credit),
                Action::Finish { .. } => {}
                other => panic!("{other:?} was not to be"),
            }
        }
    }

    fn begin(&mut self, dispatch: Dispatch) {
        match dispatch.id.node() {
            NodeId(0) => {
                self.credit = dispatch.credit.items;
                self.granted = self.credit;
                self.yielder = Some(dispatch);
            }
            NodeId(3) => self.collecting = Some(dispatch),
            _ => self.waiting.push_back(dispatch),
        }
    }

    fn grant(&mut self, _: StepId, credit: Credit) {
        self.credit += credit.items;
        self.granted += credit.items;
        self.suspended = false;
    }

    fn finish(&mut self) {
        let collecting = self.collecting.take().expect("the collect runs last");
        self.succeed(&collecting, true);
        assert_eq!(self.scheduler.frames_alive(), 1);
        let outputs = self.scheduler.outputs();
        assert!(matches!(outputs[0].1, JobOutputValue::Single(_)), "{outputs:?}");
    }
}

/// A value of 20 bytes.
fn text_of(number: u64) -> Value {
    Value::json_text(format!("\"{number:018}\""))
}

/// `yielder` → `first` → `second` → `total`.
fn job() -> Job {
    let scope = ScopeId(1);
    let from = |node| Source::Output(OutputRef { node: NodeId(node), output: 0 });
    let root = Scope { parent: None, depth: 0, origin: Origin::Root };
    let origin = Origin::FanOut(OutputRef { node: NodeId(0), output: 0 });
    let inner = Scope { parent: Some(ScopeId::ROOT), depth: 1, origin };
    Job {
        name: "generator".to_owned(),
        description: String::new(),
        max_concurrency: None,
        components: Vec::new(),
        params: Vec::new(),
        nodes: vec![
            node("yielder", ScopeId::ROOT, None),
            node("first", scope, Some(Source::Element(scope))),
            node("second", scope, Some(from(1))),
            node("total", ScopeId::ROOT, Some(Source::Collect(CollectId(0)))),
        ],
        scopes: vec![root, inner],
        collects: vec![Collect { scope, of: from(2) }],
        pools: Vec::new(),
        outputs: vec![JobOutput { name: "total".to_owned(), source: from(3) }],
    }
}

fn node(name: &str, scope: ScopeId, input: Option<Source>) -> Node {
    let inputs = input.iter().map(|_| InputDefinition {
        name: "in0".to_owned(),
        description: String::new(),
        required: true,
        collected: false,
        schema: None,
    });
    let output = OutputDefinition {
        name: "out0".to_owned(),
        description: String::new(),
        required: true,
        dynamic: name == "yielder",
        schema: None,
    };
    let op = OpDefinition {
        name: name.to_owned(),
        description: String::new(),
        inputs: inputs.collect(),
        outputs: vec![output],
        config_schema: None,
    };
    Node {
        name: name.into(),
        component: 0,
        op: Arc::new(op),
        config: "null".into(),
        scope,
        inputs: input.into_iter().map(Some).collect(),
        after: Vec::new(),
        policy: Policy::default(),
        grants: Grants::default(),
        span: 0..0,
    }
}
