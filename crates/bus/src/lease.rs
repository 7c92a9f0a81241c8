//! The right to settle a delivery.
//!
//! The broker keys acknowledgements by stream sequence, not by delivery: one that comes late would hit the delivery
//! that another worker has by then. So a worker only speaks while its lease is fresh: the last confirmed sign of life
//! is younger than the consumer's ack wait. A lease that is lost stays lost.
//!
//! That the broker confirms an acknowledgement says little: it confirms those of messages and consumers that are gone,
//! too. What was done is known to the inbox alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::{Client, Request, Subject};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::reconnect::Reconnects;
use crate::{Bus, metrics};

/// Why a settlement did not reach the broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    #[error("the lease is lost")]
    Lost,
    #[error("the broker does not answer")]
    Broker(#[source] Box<dyn std::error::Error + Send + Sync>),
}

struct Shared {
    client: Client,
    reconnects: Reconnects,
    reply: Subject,
    ack_wait: Duration,
    /// When the last confirmed sign of life was *sent*; `None` once lost or settled.
    fresh: Mutex<Option<Instant>>,
}

/// Keeps a delivery alive on its own task until it is settled or dropped.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    _heartbeat: AbortOnDropHandle<()>,
}

impl Lease {
    /// Starts the heartbeat. `lost` is cancelled when the broker may have given the message to somebody else.
    pub(crate) fn start(bus: &Bus, reply: Subject, ack_wait: Duration, lost: CancellationToken) -> Self {
        let fresh = Mutex::new(Some(Instant::now()));
        let (client, reconnects) = (bus.client.clone(), bus.reconnects.clone());
        let shared = Arc::new(Shared { client, reconnects, reply, ack_wait, fresh });
        let heartbeat = tokio::spawn(heartbeat(Arc::clone(&shared), lost));
        Self { shared, _heartbeat: AbortOnDropHandle::new(heartbeat) }
    }

    /// Whether the delivery is still surely ours.
    pub(crate) fn is_ours(&self) -> bool {
        self.shared.is_ours()
    }

    /// Ends the delivery and awaits the broker's confirmation, three times if need be.
    pub(crate) async fn settle(&self, kind: AckKind) -> Result<(), SettleError> {
        let mut last = SettleError::Lost;
        for _ in 0..3 {
            if !self.shared.is_ours() {
                return Err(last);
            }
            let started = Instant::now();
            match self.shared.say(kind).await {
                Ok(()) => {
                    metrics::get().confirmed("settle", started.elapsed());
                    *self.shared.fresh() = None;
                    return Ok(());
                }
                Err(error) => last = SettleError::Broker(error),
            }
        }
        Err(last)
    }
}

impl Shared {
    fn fresh(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the clock, not only at what the heartbeat has noticed: after a freeze the job may run first.
    fn is_ours(&self) -> bool {
        let mut fresh = self.fresh();
        if fresh.is_some_and(|sent| sent.elapsed() >= self.ack_wait) {
            *fresh = None;
        }
        fresh.is_some()
    }

    async fn say(&self, kind: AckKind) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let patience = (self.ack_wait / 3).min(Duration::from_secs(10));
        let request = Request::new().payload(kind.into()).timeout(Some(patience));
        tokio::select! {
            answer = self.client.send_request(self.reply.clone(), request) => Ok(answer.map(drop)?),
            () = self.reconnects.next() => Err("the connection was lost before the answer came".into()),
        }
    }
}

async fn heartbeat(shared: Arc<Shared>, lost: CancellationToken) {
    let mut ticks = tokio::time::interval(shared.ack_wait / 3);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if !shared.is_ours() {
            lost.cancel();
            return;
        }
        let sent = Instant::now();
        match shared.say(AckKind::Progress).await {
            // A settlement may have ended the lease meanwhile; then it stays ended.
            Ok(()) => {
                let mut fresh = shared.fresh();
                if fresh.is_some() {
                    *fresh = Some(sent);
                }
            }
            Err(error) => tracing::debug!(%error, "a heartbeat was not confirmed"),
        }
    }
}
