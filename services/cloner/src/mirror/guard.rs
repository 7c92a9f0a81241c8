//! The limits of one fetch, watched from outside of the thread that fetches.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::CloneError;

/// Why a fetch was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stop {
    TooLarge = 1,
    TooSlow = 2,
    Cancelled = 3,
}

/// Counts what arrives and says when to stop.
pub struct Guard {
    max_bytes: u64,
    max_time: Duration,
    bytes: AtomicU64,
    /// The number of a [`Stop`], 0 while there is none.
    stopped: AtomicU8,
    /// What gix looks at between two pieces of work.
    pub(super) interrupt: AtomicBool,
    /// Ends what does not look.
    on_stop: Mutex<Box<dyn FnMut() + Send>>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("bytes", &self.bytes).field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

impl Guard {
    /// At most so many bytes in at most this time.
    #[must_use]
    pub fn new(max_bytes: u64, max_time: Duration) -> Self {
        Self {
            max_bytes,
            max_time,
            bytes: AtomicU64::new(0),
            stopped: AtomicU8::new(0),
            interrupt: AtomicBool::new(false),
            on_stop: Mutex::new(Box::new(|| {})),
        }
    }

    /// Bytes that have arrived.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Runs blocking work on a thread of its own, and tells it to stop when time is up or the job is cancelled. Waits
    /// for its end in any case, so that nothing works on the mirror behind the back of the next job.
    ///
    /// # Errors
    /// What the work says, or why it was stopped.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        cancelled: &CancellationToken,
        work: impl FnOnce(&Self) -> Result<T, CloneError> + Send + 'static,
    ) -> Result<T, CloneError> {
        let guard = Arc::clone(self);
        let mut thread = tokio::task::spawn_blocking(move || work(&guard));
        let outcome = tokio::select! {
            outcome = &mut thread => outcome,
            () = cancelled.cancelled() => {
                self.stop(Stop::Cancelled);
                thread.await
            }
            () = tokio::time::sleep(self.max_time) => {
                self.stop(Stop::TooSlow);
                thread.await
            }
        };
        let outcome = outcome.map_err(|error| CloneError::Damaged { problem: format!("the reader ended: {error}") })?;
        // What a stopped reader says is only a consequence.
        match (outcome, self.reason()) {
            (Err(_), Some(stop)) => Err(self.error(stop)),
            (outcome, _) => outcome,
        }
    }

    /// Counts bytes and refuses those beyond the limit.
    pub(super) fn count(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > self.max_bytes {
            self.stop(Stop::TooLarge);
        }
    }

    /// Fails once the fetch has been stopped.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.reason().is_some() { Err(io::Error::other("the fetch was stopped")) } else { Ok(()) }
    }

    fn stop(&self, stop: Stop) {
        // The first reason stays.
        let _ = self.stopped.compare_exchange(0, stop as u8, Ordering::SeqCst, Ordering::SeqCst);
        self.interrupt.store(true, Ordering::SeqCst);
        (self.on_stop.lock().unwrap_or_else(PoisonError::into_inner))();
    }

    /// What else is done to stop the work: at once if it has been stopped already.
    pub(super) fn on_stop(&self, mut action: impl FnMut() + Send + 'static) {
        let mut on_stop = self.on_stop.lock().unwrap_or_else(PoisonError::into_inner);
        if self.reason().is_some() {
            action();
        }
        *on_stop = Box::new(action);
    }

    fn reason(&self) -> Option<Stop> {
        match self.stopped.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Stop::TooLarge),
            2 => Some(Stop::TooSlow),
            _ => Some(Stop::Cancelled),
        }
    }

    fn error(&self, stop: Stop) -> CloneError {
        match stop {
            Stop::TooLarge => CloneError::refused(
                "too_large",
                format!(
                    "The repository is larger than {} MiB: ask the operator to raise `max_pack_bytes` of the cloner",
                    self.max_bytes / (1024 * 1024)
                ),
            ),
            Stop::TooSlow => CloneError::refused(
                "too_slow",
                format!(
                    "The repository did not arrive within {} seconds: try again, or ask the operator to raise \
                     `fetch_seconds` of the cloner",
                    self.max_time.as_secs()
                ),
            ),
            Stop::Cancelled => CloneError::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::Guard;
    use crate::CloneError;

    /// Works until it is told to stop.
    fn work(guard: &Guard) -> Result<(), CloneError> {
        loop {
            guard.count(1);
            guard.check().map_err(|error| CloneError::unreachable(error.to_string()))?;
            std::thread::yield_now();
        }
    }

    async fn check(max_bytes: u64, max_time: Duration, cancelled: bool, expected: &str) {
        let token = CancellationToken::new();
        if cancelled {
            token.cancel();
        }
        let guard = Arc::new(Guard::new(max_bytes, max_time));
        let error = guard.run(&token, work).await.expect_err("the work never ends by itself");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[tokio::test]
    async fn stops() {
        let hour = Duration::from_secs(3600);
        check(1000, hour, false, "larger than").await;
        check(u64::MAX, Duration::from_millis(5), false, "did not arrive").await;
        check(u64::MAX, hour, true, "stopped").await;
    }

    #[tokio::test]
    async fn what_ends_in_time_keeps_its_result() {
        let guard = Arc::new(Guard::new(10, Duration::from_secs(3600)));
        let result = guard
            .run(&CancellationToken::new(), |guard| {
                guard.count(7);
                Ok(7)
            })
            .await;
        assert_eq!(result, Ok(7));
        assert_eq!(guard.bytes(), 7);
    }
}
