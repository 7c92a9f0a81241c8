//! The outbox relay: publishes what requests have written, each row for itself.

use std::sync::Arc;
use std::time::Duration;

use caffeine_bus::{Bus, Outgoing, PublishError, continue_trace};
use caffeine_contract::{Command, DecodeError, Kind, v1};
use caffeine_store::gateway::OutboxRow;
use caffeine_store::{Store, StoreError};
use futures::StreamExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::metrics::METRICS;

/// How many rows are taken at once.
const BATCH: i64 = 16;
/// How many of them are published at once: all, so that one that waits for the broker keeps nobody waiting.
const PARALLEL: usize = 16;
/// How long the rows belong to this relay, and how long it may take with them: a server that died without a word would
/// keep it for ever. Who comes later publishes the same ids.
const LEASE: Duration = Duration::from_secs(20);
/// Rows of other pods, and those that wait, are looked for this often.
const POLL: Duration = Duration::from_secs(1);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(15);
/// For a row that cannot be a message: somebody has to look at it.
const BROKEN_DELAY: Duration = Duration::from_secs(15 * 60);

/// Publishes outbox rows.
pub(crate) struct Relay {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    /// Rung by whoever has written rows in this process.
    pub(crate) bell: Arc<Notify>,
}

impl Relay {
    /// Works until `shutdown`; a batch that was begun is ended.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match tokio::time::timeout(LEASE, self.pass()).await {
                Ok(Ok(0)) => {}
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => tracing::warn!(error = %error, "outbox cannot be read"),
                Err(_) => tracing::warn!(seconds = LEASE.as_secs(), "a pass over the outbox took too long"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.bell.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Handles what is due; says how many rows there were.
    async fn pass(&self) -> Result<usize, StoreError> {
        let rows = self.store.outbox_take(BATCH, LEASE).await?;
        let taken = rows.len();
        let results: Vec<Result<(), StoreError>> =
            futures::stream::iter(rows).map(|row| self.relay(row)).buffer_unordered(PARALLEL).collect().await;
        results.into_iter().collect::<Result<(), _>>()?;
        Ok(taken)
    }

    async fn relay(&self, row: OutboxRow) -> Result<(), StoreError> {
        let letter = match decode(&row) {
            Ok(letter) => letter,
            Err(error) => {
                METRICS.relayed("broken");
                tracing::error!(outbox_id = %row.id, kind = row.kind, error = %error, "outbox row is no message");
                return self.store.outbox_delay(row.id, BROKEN_DELAY).await;
            }
        };
        let span = tracing::info_span!("send", otel.name = format!("send {}", row.kind), otel.kind = "producer");
        continue_trace(&span, row.traceparent.as_deref());
        let publish = async {
            match &letter {
                Letter::Work(outgoing) => self.bus.try_publish(outgoing).await,
                Letter::Command(command) => self.bus.command(command).await,
            }
        };
        let published = publish.instrument(span).await;
        let error = match published {
            Ok(()) => {
                self.bus.relayed(&row.kind);
                METRICS.relayed("published");
                return self.store.outbox_published(row.id).await;
            }
            Err(error) => error,
        };
        let delay = match &error {
            PublishError::Full { .. } => {
                METRICS.relayed("full");
                tracing::debug!(kind = row.kind, "no room for a message yet");
                delay(row.failed_attempts)
            }
            PublishError::Unavailable { .. } => {
                METRICS.relayed("unavailable");
                tracing::warn!(kind = row.kind, error = %error, "message could not be published");
                delay(row.failed_attempts)
            }
            PublishError::TooLarge { .. } => {
                METRICS.relayed("broken");
                tracing::error!(outbox_id = %row.id, kind = row.kind, error = %error, "message is too large");
                BROKEN_DELAY
            }
        };
        self.store.outbox_delay(row.id, delay).await
    }
}

/// Why a row is no message.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("`{0}` is no message that the gateway publishes")]
    Kind(String),
    #[error("decode the message")]
    Body(#[from] DecodeError),
    #[error("the command is unknown")]
    Command,
}

/// What a row says.
enum Letter {
    Work(Outgoing),
    Command(Command),
}

fn decode(row: &OutboxRow) -> Result<Letter, RowError> {
    if row.kind == Command::KIND {
        return Command::decode(&row.body)?.map(Letter::Command).ok_or(RowError::Command);
    }
    let body = bytes::Bytes::copy_from_slice(&row.body);
    Ok(Letter::Work(match Kind::from_name(&row.kind) {
        Some(Kind::CloneRequested) => Outgoing::from_body::<v1::CloneRequested>(body)?,
        Some(Kind::CloneProbe) => Outgoing::from_body::<v1::CloneProbe>(body)?,
        Some(Kind::DocumentRequested) => Outgoing::from_body::<v1::DocumentRequested>(body)?,
        _ => return Err(RowError::Kind(row.kind.clone())),
    }))
}

/// Doubles with each failure up to a limit.
fn delay(failed_attempts: u32) -> Duration {
    FIRST_DELAY.saturating_mul(1 << failed_attempts.min(10)).min(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::{FIRST_DELAY, MAX_DELAY, delay};

    #[test]
    fn delays_grow_to_a_limit() {
        assert_eq!(delay(0), FIRST_DELAY);
        assert_eq!(delay(1), FIRST_DELAY * 2);
        assert_eq!(delay(20), MAX_DELAY);
        assert_eq!(delay(u32::MAX), MAX_DELAY);
    }
}
