//! Growing delays with jitter.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use caffeine_contract::ConsumerSpec;

/// The delay before attempt `attempts + 1`: four times as long each time up to the consumer's cap, each with 25 %
/// jitter. A delay that somebody else asked for is taken as it is, because that is their word.
pub(crate) fn before_retry(spec: &ConsumerSpec, attempts: u32, after: Option<Duration>) -> Duration {
    if let Some(after) = after {
        return after;
    }
    let factor = 4_u32.saturating_pow(attempts.saturating_sub(1));
    jittered(spec.first_delay.saturating_mul(factor).min(spec.max_delay))
}

/// The duration, 25 % more or less.
pub(crate) fn jittered(base: Duration) -> Duration {
    base.mul_f64(0.75 + random() / 2.0)
}

/// A number in 0..1. Spreads load; nothing depends on its quality.
fn random() -> f64 {
    // Each hasher of the standard library has keys of its own.
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// A pause that doubles up to a limit.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, next: first, longest }
    }

    /// The next pause, with jitter.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = jittered(self.next);
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use caffeine_contract::Consumer;

    use super::{Backoff, before_retry};

    fn check(actual: Duration, seconds: f64) {
        let share = actual.as_secs_f64() / seconds;
        assert!((0.749..=1.251).contains(&share), "{actual:?} is about {seconds} s");
    }

    #[test]
    fn four_times_as_long_up_to_the_cap() {
        let spec = Consumer::Chunker.spec();
        for (attempts, seconds) in [(0, 1.0), (1, 1.0), (2, 4.0), (3, 16.0), (4, 64.0), (5, 120.0), (u32::MAX, 120.0)] {
            check(before_retry(spec, attempts, None), seconds);
        }
        assert_eq!(before_retry(spec, 3, Some(Duration::from_secs(7))), Duration::from_secs(7));
    }

    #[test]
    fn pauses_double() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        for seconds in [1.0, 2.0, 3.0, 3.0] {
            check(backoff.pause(), seconds);
        }
        backoff.reset();
        check(backoff.pause(), 1.0);
    }
}
