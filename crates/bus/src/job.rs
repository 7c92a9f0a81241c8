//! What a handler sees of its delivery.

use std::sync::Arc;

use caffeine_contract::{ConsumerSpec, Kind, Scope, v1};
use caffeine_model::WorkId;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::publish::{Blocking, Letter};
use crate::{Bus, Failure, FaultPoint, Outgoing, fault, headers};

/// One delivery of a piece of work.
pub struct Job {
    /// Whose run it belongs to, from the headers.
    pub scope: Scope,
    /// The work, the same in every generation: the key of the inbox.
    pub work: WorkId,
    /// Tells it apart from its siblings in the run (a batch number, …), from the headers.
    pub key: String,
    /// Failed attempts before this one.
    pub attempts: u32,
    /// The inbox says that the effects are stored already: compute and publish the outputs again.
    pub repeat: bool,
    pub(crate) bus: Bus,
    pub(crate) cancelled: CancellationToken,
    pub(crate) blocking: Arc<Blocking>,
    /// Who reads what.
    pub(crate) origin: (ConsumerSpec, Kind),
    /// The run's trace, if the delivery only links to it: what it leads to goes on there.
    pub(crate) trace: Option<opentelemetry::Context>,
}

impl Job {
    /// The same job with another token.
    pub(crate) fn afresh(&self, cancelled: CancellationToken) -> Self {
        Self {
            scope: self.scope.clone(),
            work: self.work,
            key: self.key.clone(),
            attempts: self.attempts,
            repeat: self.repeat,
            bus: self.bus.clone(),
            cancelled,
            blocking: Arc::clone(&self.blocking),
            origin: self.origin,
            trace: self.trace.clone(),
        }
    }

    /// Publishes an output now and awaits its acknowledgement. Waits for room downstream; the time does not count
    /// against the job's limit.
    ///
    /// # Errors
    /// [`Failure::HandBack`] if there was no room or no broker for long, or the job is cancelled;
    /// [`Failure::Reject`] if the message is larger than the payload limit.
    pub async fn publish(&self, outgoing: Outgoing) -> Result<(), Failure> {
        let stream = outgoing.kind.spec().stream.spec().name;
        let span = tracing::info_span!(
            "send",
            otel.name = format!("send {}", outgoing.kind.spec().name),
            otel.kind = "producer",
            messaging.system = "nats",
            messaging.destination.name = stream,
            messaging.destination.template = format!("caffeine.v1.{}", outgoing.kind.spec().name),
            messaging.message.id = %outgoing.message_id(),
            messaging.message.body.size = outgoing.body.len(),
        );
        let letter = Letter {
            subject: self.bus.subjects.work(outgoing.kind, &outgoing.scope),
            stream,
            headers: headers::of(&outgoing, &self.trace.clone().unwrap_or_else(|| span.context())),
            body: outgoing.body,
        };
        self.bus.store_patiently(letter, &self.blocking, &self.cancelled).instrument(span).await?;
        self.fault(FaultPoint::AfterPublish);
        Ok(())
    }

    /// Tells readers how far a stage of the run is (`clone`, `analyse`, `index` or `write`). May be lost; never waits.
    /// `total` is 0 while unknown; `unit` is `batches` or `pages`.
    pub fn progress(&self, stage: &str, done: u32, total: u32, unit: &str) {
        let progress = v1::StageProgress { stage: stage.to_owned(), done, total, unit: unit.to_owned() };
        let event = v1::event::Event::Progress(progress);
        self.bus.emit("progress", v1::Event { scope: Some(self.scope.to_wire()), event: Some(event) });
    }

    /// Cancelled when the lease is lost, the run is cancelled or the pod must stop now. Long loops look at it.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Lets a test kill the process here; handlers that publish through [`Job::publish`] call it after their commit.
    pub fn fault(&self, point: FaultPoint) {
        let (spec, kind) = &self.origin;
        fault::reached(spec, *kind, Some(&self.key), point);
    }
}
