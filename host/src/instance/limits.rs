//! What the memories and tables of one instance may take.

use dynhost_graph::event::{Failure, LimitKind};
use wasmtime::ResourceLimiter;

/// Bounds on one attempt at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLimits {
    /// Bytes of guest memory, all memories of the instance together.
    pub memory: u64,
    /// Elements of all tables of the instance together.
    pub table_elements: u64,
    /// Bytes of one output's value.
    pub output: u64,
    /// Elements of one dynamic output.
    pub elements: u64,
    /// Bytes that one call of the guest can make the host allocate.
    pub host_allocation: usize,
    /// Units of fuel; `None`: fuel is not counted.
    pub fuel: Option<u64>,
    /// Bytes of log text that the attempt may write; what comes after is dropped.
    pub log: u64,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            table_elements: 100_000,
            output: 64 << 20,
            elements: 10_000_000,
            host_allocation: 128 << 20,
            fuel: None,
            log: 1 << 20,
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
