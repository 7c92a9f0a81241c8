//! The last resort against text that makes single steps of a parser slow, which no count of steps sees.
//!
//! Twelve kilobytes of `-->` in a Rust file are such a text: each step takes a hundred times as long as usual, and more
//! with each. What counts is the time that the thread has run, so the load of the machine changes nothing; ordinary
//! files of the largest size stay far below the limit on any machine. A file that does not is plain text, and the only
//! kind that may come out differently on a much faster one: hundreds of kilobytes that are mostly errors to their grammar.
//!
//! The whole analysis of the worst files that `examples/worst_case.rs` makes, 768 KiB each, took 2.0 to 2.1 seconds of a
//! slow processor in Rust, Python, TypeScript and Go where this clock ended the parse, and 0.5 where the budget of reads
//! did.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The longest that a parse may run.
const LIMIT: Duration = Duration::from_secs(2);
/// Where the kernel does not say how long a thread has run, so much longer by the clock on the wall.
const PATIENCE: u32 = 10;
/// How often the kernel is asked.
const INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct Clock {
    started: Instant,
    asked: Cell<Duration>,
    ran_before: Option<Duration>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), asked: Cell::new(LIMIT), ran_before: ran() }
    }

    /// Whether the thread has run for longer than the limit since the start.
    pub(crate) fn is_over(&self) -> bool {
        let elapsed = self.started.elapsed();
        // No thread runs for longer than time passes, so the kernel is rarely asked.
        if elapsed < self.asked.get() {
            return false;
        }
        self.asked.set(elapsed + INTERVAL);
        let ran = self.ran_before.zip(ran()).map(|(before, now)| now.saturating_sub(before));
        is_too_long(elapsed, ran)
    }
}

fn is_too_long(elapsed: Duration, ran: Option<Duration>) -> bool {
    ran.map_or(elapsed > LIMIT * PATIENCE, |ran| ran > LIMIT)
}

/// How long this thread has run, if the kernel tells (Linux).
fn ran() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, is_too_long, ran};

    #[test]
    fn what_runs_too_long_is_told_and_what_waits_is_not() {
        for (elapsed, ran, expected) in
            [(1, Some(1), false), (60, Some(1), false), (60, Some(3), true), (3, None, false), (60, None, true)]
        {
            let ran = ran.map(Duration::from_secs);
            assert_eq!(is_too_long(Duration::from_secs(elapsed), ran), expected, "{elapsed} {ran:?}");
        }
        assert!(!Clock::start().is_over());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_tells_how_long_a_thread_has_run() {
        let before = ran().expect("the kernel tells");
        let mut sum = 0_u64;
        while ran().expect("the kernel tells") < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        let other = std::thread::spawn(ran).join().expect("the thread ends");
        assert!(
            other.expect("the kernel tells") < before + Duration::from_millis(5),
            "each thread has a time of its own"
        );
    }
}
