//! Publishing that waits for room: outputs are never dropped and never published in a spin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::delay::{Backoff, jittered};
use crate::{Bus, Failure, PublishError, metrics};

/// Without any room for this long, the work is handed back.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long a job waits while as many of its pod's slots as allowed are blocked already.
const PATIENCE_WITHOUT_PERMIT: Duration = Duration::from_secs(20);
/// When handed-back work comes again.
const COME_BACK: Duration = Duration::from_secs(10);

/// The blocked time of one job, and how many jobs of its pod may be blocked at once.
pub(crate) struct Blocking {
    permits: Arc<Semaphore>,
    spent_ms: AtomicU64,
}

impl Blocking {
    pub(crate) fn new(permits: Arc<Semaphore>) -> Self {
        Self { permits, spent_ms: AtomicU64::new(0) }
    }

    /// Time spent waiting for room or for the broker; it does not count against the job's limit.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_millis(self.spent_ms.load(Ordering::Relaxed))
    }

    fn add(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.spent_ms.fetch_add(time, Ordering::Relaxed);
    }
}

/// A message ready to go: its id is in the headers, so a repeat is the same message.
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) stream: &'static str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Bus {
    /// Publishes until the broker has stored it. Waits while there is no room or no broker.
    ///
    /// # Errors
    /// [`Failure::HandBack`] after long waiting or when cancelled; [`Failure::Reject`] if it is too large.
    pub(crate) async fn store_patiently(
        &self,
        letter: Letter,
        blocking: &Blocking,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let mut full = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
        let mut away = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let mut permit: Option<OwnedSemaphorePermit> = None;
        loop {
            let tried = Instant::now();
            let stored = self.store(letter.subject.clone(), letter.stream, letter.headers.clone(), letter.body.clone());
            let error = tokio::select! {
                stored = stored => match stored {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
                () = cancelled.cancelled() => return Err(Failure::HandBack { after: Duration::ZERO }),
            };
            let pause = match &error {
                PublishError::Full { .. } => full.pause(),
                PublishError::Unavailable { .. } => away.pause(),
                PublishError::TooLarge { bytes } => {
                    return Err(Failure::reject("too_large", format!("an output of {bytes} bytes cannot be sent")));
                }
            };
            metrics::get().publish_retry(error.code());
            tracing::debug!(stream = letter.stream, %error, "a publish is tried again");

            if permit.is_none() {
                permit = Arc::clone(&blocking.permits).try_acquire_owned().ok();
            }
            let patience = if permit.is_some() { PATIENCE } else { PATIENCE_WITHOUT_PERMIT };
            if started.elapsed() + pause > patience {
                tracing::warn!(stream = letter.stream, %error, "handing back: no room downstream");
                return Err(Failure::HandBack { after: jittered(COME_BACK) });
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancelled.cancelled() => return Err(Failure::HandBack { after: Duration::ZERO }),
            }
            let waited = tried.elapsed();
            blocking.add(waited);
            metrics::get().blocked(letter.stream, waited);
        }
    }
}
