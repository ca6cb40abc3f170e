//! From a manifest's text to a job: what is accepted, what it becomes, what is refused and how.

#[path = "plan/bad.rs"]
mod bad;
#[path = "plan/batch.rs"]
mod batch;
#[path = "plan/graphs.rs"]
mod graphs;
#[path = "plan/hostile.rs"]
mod hostile;
#[path = "plan/invariants.rs"]
mod invariants;
#[path = "plan/job.rs"]
mod job;
#[path = "plan/ops.rs"]
mod ops;
#[path = "plan/params.rs"]
mod params;
#[path = "plan/reference.rs"]
mod reference;
#[path = "plan/schema.rs"]
mod schema;
#[path = "plan/scopes.rs"]
mod scopes;
#[path = "plan/show.rs"]
mod show;
#[path = "plan/torn.rs"]
mod torn;
