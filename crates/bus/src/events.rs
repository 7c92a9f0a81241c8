//! Progress events, fanned out to every gateway pod.

use async_nats::Client;
use async_nats::jetstream::consumer::DeliverPolicy;
use bytes::Bytes;
use caffeine_contract::{Scope, Stream, v1};
use prost::Message as _;
use tokio::sync::mpsc;

use crate::ordered::Ordered;
use crate::{Bus, BusError};

/// Events that wait for the connection; more than this are dropped.
const BUFFERED: usize = 1_024;

/// An event with the scope it belongs to.
#[derive(Debug, Clone)]
pub struct Received {
    /// Whose run.
    pub scope: Scope,
    /// What happened.
    pub event: v1::Event,
}

/// All events of the installation from now on; one per pod.
pub struct EventReceiver {
    messages: Ordered,
}

impl Bus {
    /// Starts to receive events (an ordered consumer that rebuilds itself).
    ///
    /// # Errors
    /// If the stream is missing.
    pub async fn events(&self) -> Result<EventReceiver, BusError> {
        let messages = Ordered::open(
            self.jetstream.clone(),
            self.subjects.stream(Stream::Events),
            self.subjects.events(),
            format!("{}-events", self.name),
            DeliverPolicy::New,
        )
        .await?;
        Ok(EventReceiver { messages })
    }

    /// Publishes an event without waiting; it may be lost. `kind` is the last token of the subject.
    pub fn emit(&self, kind: &str, event: v1::Event) {
        let Some(Ok(scope)) = event.scope.as_ref().map(Scope::from_wire) else {
            tracing::warn!(kind, "an event without a scope is dropped");
            return;
        };
        if self.cancels.is_deleted(scope.repository) {
            // It would outlive the purge.
            return;
        }
        let subject = self.subjects.event(scope.workspace, scope.run, kind);
        if self.emitter.try_send((subject, event.encode_to_vec().into())).is_err() {
            tracing::debug!(kind, "an event is dropped: the connection is busy or gone");
        }
    }
}

/// Sends events in the order they were emitted, off the caller's path, until the last handle is gone.
pub(crate) fn start_emitter(client: Client) -> mpsc::Sender<(String, Bytes)> {
    let (sender, mut receiver) = mpsc::channel::<(String, Bytes)>(BUFFERED);
    tokio::spawn(async move {
        while let Some((subject, body)) = receiver.recv().await {
            if let Err(error) = client.publish(subject, body).await {
                tracing::debug!(%error, "an event is lost");
            }
        }
    });
    sender
}

impl EventReceiver {
    /// The next event; waits through reconnects. Undecodable events are skipped.
    pub async fn next(&mut self) -> Received {
        loop {
            let message = self.messages.next().await;
            match v1::Event::decode(message.payload.clone()) {
                Ok(event) => {
                    if let Some(Ok(scope)) = event.scope.as_ref().map(Scope::from_wire) {
                        return Received { scope, event };
                    }
                    tracing::debug!(subject = %message.subject, "an event without a scope is skipped");
                }
                Err(error) => tracing::debug!(subject = %message.subject, %error, "an event is skipped"),
            }
        }
    }
}
