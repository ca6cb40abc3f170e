//! Whether and when a failed attempt is followed by another (`semantics.md` rule 16).

use std::time::Duration;

use crate::event::{Failure, ReportedRetry};
use crate::job::{Backoff, Retry, RetryOn};

/// The longest that an op can have its step wait by `retry-after`: an hour, in milliseconds.
const LONGEST_WAIT_MS: u64 = 60 * 60 * 1000;

/// The delay before the next attempt, in milliseconds; `None`: the step has failed for good.
///
/// `attempt` is the one that failed, from 1. `same`: a trap or a limit would come again the same, since the op has no
/// authority and its limits do not grow; it is retried only where the policy names it.
/// `random`, from 0 to 1, is what jitter takes of the delay.
#[must_use]
pub fn retry_delay(
    policy: &Retry,
    failure: &Failure,
    attempt: u32,
    same: bool,
    random: f64,
) -> Option<u64> {
    if attempt >= policy.max_attempts {
        return None;
    }
    let (kind, at_least) = match failure {
        Failure::Reported { retry: ReportedRetry::Permanent, .. }
        | Failure::BadOutput { .. }
        | Failure::Host { .. } => return None,
        Failure::Reported { retry: ReportedRetry::Transient, .. } => (RetryOn::Transient, 0),
        Failure::Reported { retry: ReportedRetry::After(ms), .. } => (RetryOn::Transient, *ms),
        Failure::Trap { .. } => (RetryOn::Trap, 0),
        Failure::LimitExceeded { .. } => (RetryOn::Limit, 0),
        Failure::TimedOut { .. } => (RetryOn::Timeout, 0),
    };
    let retried = match &policy.on {
        Some(on) => on.contains(&kind),
        None => !(same && matches!(kind, RetryOn::Trap | RetryOn::Limit)),
    };
    if !retried {
        return None;
    }
    let factor = match policy.backoff {
        Backoff::Constant => 1,
        Backoff::Linear => attempt,
        Backoff::Exponential => 2_u32.saturating_pow(attempt - 1),
    };
    let longest = policy.max_delay.unwrap_or(Duration::MAX);
    let mut delay = policy.delay.saturating_mul(factor).min(longest);
    if policy.jitter {
        delay = delay.mul_f64(random.clamp(0.0, 1.0));
    }
    let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    Some(delay.max(at_least.min(LONGEST_WAIT_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(backoff: Backoff) -> Retry {
        Retry {
            max_attempts: 5,
            delay: Duration::from_millis(100),
            backoff,
            max_delay: Some(Duration::from_millis(350)),
            jitter: false,
            on: None,
        }
    }

    fn reported(retry: ReportedRetry) -> Failure {
        Failure::Reported { message: String::new(), detail: None, retry }
    }

    /// `semantics.md` rule 16.
    #[test]
    fn delays_grow_with_the_backoff_up_to_the_longest() {
        let failure = reported(ReportedRetry::Transient);
        let delays = |backoff| {
            (1..=5)
                .map(|attempt| retry_delay(&policy(backoff), &failure, attempt, true, 0.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(delays(Backoff::Constant), [Some(100), Some(100), Some(100), Some(100), None]);
        assert_eq!(delays(Backoff::Linear), [Some(100), Some(200), Some(300), Some(350), None]);
        assert_eq!(
            delays(Backoff::Exponential),
            [Some(100), Some(200), Some(350), Some(350), None]
        );
    }

    /// `semantics.md` rule 16.
    #[test]
    fn the_op_has_the_last_word_on_its_own_failures() {
        let policy = policy(Backoff::Constant);
        let delay = |retry| retry_delay(&policy, &reported(retry), 1, true, 0.0);
        assert_eq!(delay(ReportedRetry::Permanent), None);
        assert_eq!(delay(ReportedRetry::After(10)), Some(100));
        assert_eq!(delay(ReportedRetry::After(1_000)), Some(1_000));
    }

    /// `semantics.md` rule 16: "a trap or a limit of an op without authority would come again
    /// the same, so it is retried only if named".
    #[test]
    fn a_trap_of_a_pure_op_is_retried_only_if_named() {
        let trap = Failure::Trap { message: String::new() };
        let mut policy = policy(Backoff::Constant);
        assert_eq!(retry_delay(&policy, &trap, 1, true, 0.0), None);
        assert_eq!(retry_delay(&policy, &trap, 1, false, 0.0), Some(100));
        policy.on = Some(vec![RetryOn::Trap]);
        assert_eq!(retry_delay(&policy, &trap, 1, true, 0.0), Some(100));
        let timeout = Failure::TimedOut { after_ms: 1 };
        assert_eq!(retry_delay(&policy, &timeout, 1, false, 0.0), None);
    }
}
