//! What the memories and tables of one instance may take.

use std::time::Duration;

use dynhost_graph::event::{Failure, LimitKind};
use dynhost_graph::operator::OperatorPolicy;
use wasmtime::ResourceLimiter;

/// Bounds on one attempt at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLimits {
    /// Bytes of guest memory, all memories of the instance together.
    pub memory: u64,
    /// Elements of all tables of the instance together.
    pub table_elements: u64,
    /// Wall-clock time.
    pub timeout: Duration,
    /// Bytes of one output's value.
    pub output: u64,
    /// Bytes of all outputs together.
    pub output_total: u64,
    /// Elements of one dynamic output.
    pub elements: u64,
    /// How deep arrays and objects of an output with a JSON Schema are nested.
    pub json_depth: u64,
    /// Bytes that one call of the guest can make the host allocate.
    pub host_allocation: u64,
    /// Resources that the guest holds open at once: files, folders, streams, sockets and other handles.
    pub resources: u64,
    /// Units of fuel; `None`: fuel is not counted.
    pub fuel: Option<u64>,
    /// Bytes of log text that the attempt may write, 64 for each line and field included; what comes after is
    /// dropped.
    pub log: u64,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            table_elements: 100_000,
            timeout: Duration::from_mins(10),
            output: 64 << 20,
            output_total: 64 << 30,
            elements: 10_000_000,
            json_depth: 128,
            host_allocation: 128 << 20,
            resources: 1_024,
            fuel: None,
            log: 1 << 20,
        }
    }
}

impl StepLimits {
    /// These bounds, cut to what the operator allows.
    pub(crate) fn within(mut self, policy: &OperatorPolicy) -> Self {
        for (&kind, &most) in &policy.limits {
            let now = self.get(kind);
            if now > most {
                self.set(kind, most);
            }
        }
        self.timeout = self.timeout.min(policy.timeout.unwrap_or(Duration::MAX));
        self
    }

    fn get(&self, kind: LimitKind) -> u64 {
        match kind {
            LimitKind::Memory => self.memory,
            LimitKind::TableElements => self.table_elements,
            LimitKind::Output => self.output,
            LimitKind::OutputTotal => self.output_total,
            LimitKind::Clones => self.elements,
            LimitKind::JsonDepth => self.json_depth,
            LimitKind::HostAllocation => self.host_allocation,
            LimitKind::Resources => self.resources,
            LimitKind::Log => self.log,
            LimitKind::Fuel => self.fuel.unwrap_or(u64::MAX),
            _ => u64::MAX,
        }
    }

    /// Sets the bound of this kind. The stack is not one of an attempt but of the host.
    pub(crate) fn set(&mut self, kind: LimitKind, value: u64) {
        match kind {
            LimitKind::Memory => self.memory = value,
            LimitKind::TableElements => self.table_elements = value,
            LimitKind::Fuel => self.fuel = Some(value),
            LimitKind::Output => self.output = value,
            LimitKind::OutputTotal => self.output_total = value,
            LimitKind::Clones => self.elements = value,
            LimitKind::JsonDepth => self.json_depth = value,
            LimitKind::HostAllocation => self.host_allocation = value,
            LimitKind::Resources => self.resources = value,
            LimitKind::Log => self.log = value,
            // Those that exist now are all above; a later one must not be forgotten in silence.
            other => debug_assert!(other == LimitKind::Stack, "{other:?} has no place here"),
        }
    }
}

/// Counts what an instance takes, and refuses what is too much.
#[derive(Debug)]
pub(super) struct Meter {
    memory_limit: u64,
    memory: u64,
    table_limit: u64,
    table_elements: u64,
    denied: Option<(LimitKind, u64)>,
}

impl Meter {
    pub(super) fn new(limits: &StepLimits) -> Self {
        Self {
            memory_limit: limits.memory,
            memory: 0,
            table_limit: limits.table_elements,
            table_elements: 0,
            denied: None,
        }
    }

    /// Bytes of all memories together, which never shrink.
    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    /// The limit that the guest ran into, if it did.
    pub(super) fn denied(&self) -> Option<Failure> {
        self.denied.map(|(limit, value)| Failure::LimitExceeded {
            limit,
            value,
            detail: String::new(),
        })
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory + (desired - current) as u64;
        if total > self.memory_limit {
            self.denied = Some((LimitKind::Memory, self.memory_limit));
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.table_elements + (desired - current) as u64;
        if total > self.table_limit {
            self.denied = Some((LimitKind::TableElements, self.table_limit));
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }
}
