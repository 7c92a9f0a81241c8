//! Runs the consumers of one service.

use std::sync::Arc;

use async_nats::jetstream::AckKind;
use caffeine_contract::table::MESSAGES;
use caffeine_contract::{Consumer, ConsumerSpec, Message, Scope, Subjects};
use caffeine_model::Lane;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::delivery::{Reader, deliver};
use crate::erased::{ErasedHandler, Typed};
use crate::provision::{find_missing, lanes};
use crate::pull::Puller;
use crate::{Bus, BusError, Handler, Inbox, metrics};

/// A durable consumer with a handler for each message it reads.
pub struct Worker {
    bus: Bus,
    spec: ConsumerSpec,
    inbox: Arc<dyn Inbox>,
    handlers: Vec<Arc<dyn ErasedHandler>>,
    versions: Versions,
}

/// What a worker's work must be fixed to; of what is not named it takes any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    analyser: Option<String>,
    embedding_model: Option<String>,
}

impl Versions {
    /// Whether the work of a run is for this worker.
    pub(crate) fn fit(&self, scope: &Scope) -> bool {
        self.analyser.as_ref().is_none_or(|version| *version == scope.analyser)
            && self.embedding_model.as_ref().is_none_or(|model| *model == scope.embedding_model)
    }
}

impl Worker {
    /// A worker for one consumer of the contract, in all its lanes. Slots and times come from the table.
    #[must_use]
    pub fn new(bus: Bus, consumer: Consumer, inbox: Arc<dyn Inbox>) -> Self {
        let spec = bus.spec(consumer);
        Self { bus, spec, inbox, handlers: Vec::new(), versions: Versions::default() }
    }

    /// Takes other slots, times and attempts than the table's, for tests. The durable consumer itself stays as it was
    /// provisioned; an `ack_wait` longer than its own loses leases.
    #[must_use]
    pub fn with_spec(self, spec: ConsumerSpec) -> Self {
        Self { spec, ..self }
    }

    /// Works for runs of this analyser only: rows of two versions must not mix. What belongs to another one is handed
    /// back for a pod of that version; when none has taken it for minutes, the gateway is told that the version is gone.
    #[must_use]
    pub fn for_analyser(mut self, version: impl Into<String>) -> Self {
        self.versions.analyser = Some(version.into());
        self
    }

    /// Works for runs of this embedding model only, as [`for_analyser`](Self::for_analyser) does.
    #[must_use]
    pub fn for_embedding_model(mut self, model: impl Into<String>) -> Self {
        self.versions.embedding_model = Some(model.into());
        self
    }

    /// Adds the handler of one kind of message.
    #[must_use]
    pub fn handle<M: Message, H: Handler<M>>(mut self, handler: Arc<H>) -> Self {
        self.handlers.push(Arc::new(Typed::<M, H>::new(handler)));
        self
    }

    /// Pulls and handles messages until `shutdown`, then finishes what is running; what has not ended after the
    /// connection's grace is stopped and handed back.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the consumer has not been provisioned; broker outages are waited out.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), BusError> {
        let Self { bus, spec, inbox, handlers, versions } = self;
        for row in MESSAGES.iter().filter(|row| row.reader == Some(spec.consumer)) {
            if !handlers.iter().any(|handler| handler.kind() == row.kind) {
                tracing::warn!(durable = spec.durable, message = row.name, "no handler: it will be a dead letter");
            }
        }
        let mut missing = Vec::new();
        find_missing(&bus, &spec, &mut missing).await?;
        if !missing.is_empty() {
            return Err(BusError::Missing { what: missing.join(", ") });
        }
        bus.listen_for_cancels().await?;

        let all_slots = spec.slots.max(1) * lanes(&spec).len();
        let hurry = CancellationToken::new();
        // Dropping this future stops everything it started.
        let _stop = hurry.clone().drop_guard();
        let reader = Arc::new(Reader {
            may_block: Arc::new(Semaphore::new((all_slots / 2).max(1))),
            bus: bus.clone(),
            spec,
            inbox,
            handlers,
            versions,
            hurry: hurry.clone(),
        });
        let mut slots = JoinSet::new();
        for lane in lanes(&spec) {
            for _ in 0..spec.slots.max(1) {
                slots.spawn(slot(Arc::clone(&reader), *lane, shutdown.clone()));
            }
        }
        metrics::get().known(spec.durable);
        tracing::info!(durable = spec.durable, slots = all_slots, "reading");

        let grace_is_over = async {
            shutdown.cancelled().await;
            tokio::time::sleep(bus.grace).await;
        };
        tokio::select! {
            () = all_ended(&mut slots) => {}
            () = grace_is_over => {
                tracing::warn!(durable = spec.durable, "the grace is over; handing back what still runs");
                hurry.cancel();
                all_ended(&mut slots).await;
            }
        }
        // Settlements are confirmed one by one; this is for what else is buffered.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), bus.client.flush()).await;
        tracing::info!(durable = spec.durable, "stopped reading");
        Ok(())
    }
}

async fn all_ended(slots: &mut JoinSet<()>) {
    while let Some(ended) = slots.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a slot ended by a bug of the runtime");
        }
    }
}

/// One job at a time, until `shutdown`.
async fn slot(reader: Arc<Reader>, lane: Lane, shutdown: CancellationToken) {
    let stream = reader.bus.subjects.stream(reader.spec.stream);
    let durable = Subjects::durable(&reader.spec, lane);
    let mut puller = Puller::new(&reader.bus, &stream, &durable);
    while let Some(message) = puller.next(&shutdown).await {
        // On a task of its own, so that a bug in the runtime costs one delivery and not the slot.
        let delivery = AbortOnDropHandle::new(tokio::spawn(deliver(Arc::clone(&reader), message, lane)));
        if let Err(error) = delivery.await {
            tracing::error!(%error, "a delivery ended by a bug of the runtime");
        }
    }
    if let Some(reply) = puller.close().await.and_then(|late| late.reply) {
        // If this is lost too, the message comes again after the ack wait.
        let _ = reader.bus.client.publish(reply, AckKind::Nak(None).into()).await;
    }
}
