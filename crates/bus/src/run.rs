//! Runs a handler within its limits.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::{Failure, Job, Outgoing};

/// How long a handler that was told to stop may take until it is taken down. Nothing of a cancelled run is written
/// five seconds later, so this is less.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// How a handler ended.
pub(crate) enum Ran {
    Ended(Result<Vec<Outgoing>, Failure>),
    Panicked(String),
    /// It used up its time.
    TooLong,
    /// It was told to stop and did not.
    Stopped,
}

/// Runs a handler on a task of its own: it may panic, and it may not come to an end. Time spent waiting for room
/// downstream does not count.
pub(crate) async fn run_limited(
    limit: Duration,
    job: &Arc<Job>,
    work: impl Future<Output = Result<Vec<Outgoing>, Failure>> + Send + 'static,
) -> Ran {
    let mut task = AbortOnDropHandle::new(tokio::spawn(work.instrument(tracing::Span::current())));
    let started = Instant::now();
    loop {
        let left = (limit + job.blocking.spent()).saturating_sub(started.elapsed());
        let too_long = left.is_zero();
        if too_long {
            job.cancelled.cancel();
        }
        tokio::select! {
            joined = &mut task => return ended(joined),
            () = tokio::time::sleep(left), if !too_long => {}
            () = job.cancelled.cancelled() => {
                return match tokio::time::timeout(STOP_WITHIN, &mut task).await {
                    // A failure after the limit is the limit's; a result is a result.
                    Ok(joined) => match ended(joined) {
                        Ran::Ended(Err(_)) if too_long => Ran::TooLong,
                        ran => ran,
                    },
                    Err(_) if too_long => Ran::TooLong,
                    Err(_) => Ran::Stopped,
                };
            }
        }
    }
}

fn ended(joined: Result<Result<Vec<Outgoing>, Failure>, JoinError>) -> Ran {
    match joined {
        Ok(result) => Ran::Ended(result),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => Ran::Panicked(panic_text(payload.as_ref())),
            Err(_) => Ran::Stopped,
        },
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    // It becomes a row and a header.
    text.chars().take(300).collect()
}
