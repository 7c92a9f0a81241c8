//! One delivery, from the pull to its settlement.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, AckKind};
use caffeine_contract::{ConsumerSpec, Kind, Scope, table, v1};
use caffeine_model::{Generation, Lane, WorkId};
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::erased::{ErasedHandler, UNDECODABLE};
use crate::headers::{Envelope, trace_context};
use crate::lease::{Lease, SettleError};
use crate::publish::Blocking;
use crate::run::{Ran, run_limited};
use crate::worker::Versions;
use crate::{
    Bus, Failure, FaultPoint, Inbox, InboxError, Job, Outgoing, Prior, Rejection, delay, fault, metrics, span,
};

/// How long a delivery waits for an inbox that cannot be asked, before it is handed back.
const INBOX_PATIENCE: Duration = Duration::from_secs(30);
/// How long one question to the inbox may take: a server that died without a word never answers, and the heartbeat
/// would keep the delivery here for ever.
const INBOX_ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// The longest reason, in characters. Part of it can be foreign text.
const MAX_REASON: usize = 2_000;
/// When a delivery comes back whose outcome could not be written down.
const SOON: Duration = Duration::from_secs(1);

/// What all deliveries of a worker share.
pub(crate) struct Reader {
    pub(crate) bus: Bus,
    pub(crate) spec: ConsumerSpec,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) handlers: Vec<Arc<dyn ErasedHandler>>,
    pub(crate) versions: Versions,
    /// Half of the pod's slots may wait for room downstream.
    pub(crate) may_block: Arc<Semaphore>,
    /// The grace is over: stop what still runs.
    pub(crate) hurry: CancellationToken,
}

impl Reader {
    /// The handler of a message, by its subject: the broker routed it by nothing else.
    fn handler(&self, subject: &str) -> Option<&Arc<dyn ErasedHandler>> {
        let (_, rest) = subject.split_once("caffeine.v1.")?;
        self.handlers.iter().find(|handler| {
            let name = handler.kind().spec().name;
            rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

/// What the broker says about a delivery.
pub(crate) struct Facts {
    pub(crate) stream: String,
    pub(crate) sequence: u64,
    pub(crate) delivered: u32,
    pub(crate) age: Duration,
}

impl Facts {
    fn of(message: &jetstream::Message) -> Option<Self> {
        let info = message.info().ok()?;
        let published = u64::try_from(info.published.unix_timestamp_nanos()).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Self {
            stream: info.stream.to_owned(),
            sequence: info.stream_sequence,
            delivered: u32::try_from(info.delivered).unwrap_or(u32::MAX),
            age: now.saturating_sub(Duration::from_nanos(published)),
        })
    }
}

/// How a delivery ended; a label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Retry,
    Rejected,
    Cancelled,
    HandedBack,
    Lost,
}

impl Outcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Rejected => "reject",
            Self::Cancelled => "cancelled",
            Self::HandedBack => "hand_back",
            Self::Lost => "lost",
        }
    }
}

pub(crate) struct Delivery {
    pub(crate) reader: Arc<Reader>,
    pub(crate) message: async_nats::Message,
    pub(crate) facts: Facts,
    pub(crate) lease: Lease,
    /// Cancelled when the lease is lost or the grace is over.
    pub(crate) stop: CancellationToken,
}

/// Handles one message. Whatever happens ends in a settlement, or in silence if the lease is lost.
pub(crate) async fn deliver(reader: Arc<Reader>, message: async_nats::Message, lane: Lane) {
    let started = Instant::now();
    let message = jetstream::Message { message, context: reader.bus.jetstream.clone() };
    let (Some(facts), Some(reply)) = (Facts::of(&message), message.reply.clone()) else {
        tracing::warn!(subject = %message.subject, "a message without the broker's marks is ignored");
        return;
    };
    let (stage, lane) = (reader.spec.durable, lane.as_str());
    metrics::get().taken(stage, lane, facts.age, facts.delivered > 1);

    let stop = reader.hurry.child_token();
    let lease = Lease::start(&reader.bus, reply, reader.spec.ack_wait, stop.clone());
    let delivery = Delivery { reader, message: message.message, facts, lease, stop };
    let span = span::process(&delivery);
    let outcome = delivery.process().instrument(span).await;
    if outcome == Outcome::Lost {
        metrics::get().lease_lost(stage);
    }
    metrics::get().settled(stage, lane, outcome.as_str(), started.elapsed());
}

impl Delivery {
    async fn process(&self) -> Outcome {
        let envelope = Envelope::read(self.message.headers.as_ref());
        let Some(handler) = self.reader.handler(&self.message.subject) else {
            return self.bury_unread("unknown_message", "nobody here reads this message", &envelope).await;
        };
        let kind = handler.kind();
        fault::reached(&self.reader.spec, kind, envelope.key.as_deref(), FaultPoint::AfterPull);

        let from_headers = envelope.scope.clone().zip(envelope.key.clone());
        let Some((scope, key)) = from_headers.or_else(|| handler.identify(&self.message.payload)) else {
            return self.bury_unread(UNDECODABLE, "neither headers nor body say whose work this is", &envelope).await;
        };
        if self.reader.bus.cancels.contains(&scope) {
            // Before the inbox: no row of a cancelled run is touched.
            return self.settle(AckKind::Ack, Outcome::Cancelled).await;
        }
        let work = WorkId::derive(scope.run, kind.spec().name, &key);
        let prior = match self.prior(work, envelope.redelivered.then_some(scope.generation)).await {
            Ok(prior) => prior,
            Err(failure) => return self.fail_without_job(failure).await,
        };
        let job = Arc::new(self.job(kind, scope, key, work, &prior));
        let _watch = self.reader.bus.cancels.watch(&job.scope, job.cancelled.clone());

        if let Some(rejection) = prior.rejected {
            return self.reject(handler, &job, rejection).await;
        }
        if let Some(reason) = envelope.reject_unrun.filter(|_| !prior.done) {
            return self.reject(handler, &job, Rejection { code: "undeliverable".to_owned(), reason }).await;
        }
        let crashes = if self.facts.delivered > 1 { prior.crashes } else { 0 };
        if crashes >= table::MAX_CRASHES {
            let reason = format!("its reader died {crashes} times without a word");
            let rejection = Rejection { code: "kills_its_reader".to_owned(), reason };
            return self.reject(handler, &job, rejection).await;
        }
        if !self.reader.versions.fit(&job.scope) {
            return self.leave_to_its_version(&job).await;
        }
        let ended = match self.room(crashes > 0).await {
            Ok(_room) => self.begin(handler, &job).await,
            Err(failure) => Err(failure),
        };
        match ended {
            Ok(()) => {
                job.fault(FaultPoint::BeforeAck);
                self.settle(AckKind::Ack, Outcome::Done).await
            }
            Err(failure) => self.fail(handler, &job, failure).await,
        }
    }

    fn job(&self, kind: Kind, scope: Scope, key: String, work: WorkId, prior: &Prior) -> Job {
        Job {
            scope,
            work,
            key,
            attempts: prior.attempts,
            repeat: prior.done,
            bus: self.reader.bus.clone(),
            cancelled: self.stop.child_token(),
            blocking: Arc::new(Blocking::new(Arc::clone(&self.reader.may_block))),
            origin: (self.reader.spec, kind),
            trace: span::only_links(Some(kind)).then(|| trace_context(self.message.headers.as_ref())),
        }
    }

    /// The right to work beside the other jobs of this connection, or without any of them if the message is suspected
    /// of having killed its reader: should it do so again, nobody else is struck and the guilt is clear.
    async fn room(&self, alone: bool) -> Result<Room<'_>, Failure> {
        let lock = &self.reader.bus.jobs;
        let room = async {
            if alone {
                tracing::warn!("a reader of this message died; it runs alone");
                Room::Alone { _lock: lock.write().await }
            } else {
                Room::Shared { _lock: lock.read().await }
            }
        };
        self.stop.run_until_cancelled(room).await.ok_or(Failure::HandBack { after: Duration::ZERO })
    }

    /// Notes that the work begins, unless it must not, and does it. Whoever still waited for room is not to blame when
    /// the process dies. The first delivery has no past, so it costs no write.
    async fn begin(&self, handler: &Arc<dyn ErasedHandler>, job: &Arc<Job>) -> Result<(), Failure> {
        if let Some(failure) = self.interruption(job) {
            return Err(failure);
        }
        if self.facts.delivered > 1 {
            let noted = self.reader.inbox.delivery_started(job.work, job.scope.workspace, job.scope.run);
            match self.in_time(noted).await {
                Ok(()) => {}
                Err(InboxError::Gone) => return Err(Failure::Cancelled),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the inbox cannot be told");
                    return Err(Failure::HandBack { after: SOON });
                }
            }
        }
        self.handle(handler, job).await
    }

    /// Runs the handler and publishes what it returns.
    async fn handle(&self, handler: &Arc<dyn ErasedHandler>, job: &Arc<Job>) -> Result<(), Failure> {
        let (running, owned, body) = (Arc::clone(handler), Arc::clone(job), self.message.payload.clone());
        let work = async move {
            owned.fault(FaultPoint::InHandler);
            running.handle(&owned, body).await
        };
        let outputs = self.ran(run_limited(self.reader.spec.time_limit, job, work).await, job)?;
        job.fault(FaultPoint::AfterCommit);
        self.publish(job, outputs).await
    }

    async fn publish(&self, job: &Job, outputs: Vec<Outgoing>) -> Result<(), Failure> {
        for outgoing in outputs {
            if let Err(failure) = job.publish(outgoing).await {
                return Err(self.interruption(job).unwrap_or(failure));
            }
        }
        Ok(())
    }

    /// What the end of a handler means. An error of a handler that was told to stop means only that it stopped.
    fn ran(&self, ran: Ran, job: &Job) -> Result<Vec<Outgoing>, Failure> {
        match ran {
            Ran::Ended(Ok(outputs)) => Ok(outputs),
            Ran::Ended(Err(failure @ Failure::Reject { .. })) => Err(failure),
            Ran::Ended(Err(failure)) => Err(self.interruption(job).unwrap_or(failure)),
            Ran::Panicked(text) => Err(Failure::retry(format!("panicked: {text}"))),
            Ran::TooLong => {
                let limit = self.reader.spec.time_limit.as_secs();
                Err(Failure::retry(format!("took longer than {limit} s")))
            }
            Ran::Stopped => Err(self.interruption(job).unwrap_or(Failure::HandBack { after: SOON })),
        }
    }

    /// Why the job was told to stop, if it was.
    fn interruption(&self, job: &Job) -> Option<Failure> {
        if self.is_cancelled(job) {
            Some(Failure::Cancelled)
        } else if self.stop.is_cancelled() {
            Some(Failure::HandBack { after: Duration::ZERO })
        } else {
            None
        }
    }

    fn is_cancelled(&self, job: &Job) -> bool {
        self.reader.bus.cancels.contains(&job.scope)
    }

    async fn fail(&self, handler: &Arc<dyn ErasedHandler>, job: &Arc<Job>, failure: Failure) -> Outcome {
        if !self.lease.is_ours() {
            return self.lost(job).await;
        }
        // Neither an attempt nor a rejection is written down for a run that has ended.
        let failure = if self.is_cancelled(job) { Failure::Cancelled } else { failure };
        match failure {
            Failure::Retry { after, reason } => self.retry(handler, job, after, storable(&reason)).await,
            Failure::Reject { code, reason } => {
                self.reject(handler, job, Rejection { code: code.to_owned(), reason: storable(&reason) }).await
            }
            Failure::Cancelled => {
                tracing::info!("cancelled");
                self.settle(AckKind::Ack, Outcome::Cancelled).await
            }
            Failure::HandBack { after } => self.hand_back(Some(job), after).await,
        }
    }

    async fn fail_without_job(&self, failure: Failure) -> Outcome {
        match failure {
            Failure::HandBack { after } => self.hand_back(None, after).await,
            Failure::Cancelled => self.settle(AckKind::Ack, Outcome::Cancelled).await,
            _ => self.hand_back(None, SOON).await,
        }
    }

    async fn retry(
        &self,
        handler: &Arc<dyn ErasedHandler>,
        job: &Arc<Job>,
        after: Option<Duration>,
        reason: String,
    ) -> Outcome {
        let spec = &self.reader.spec;
        let counted = self.reader.inbox.count_attempt(job.work, job.scope.workspace, job.scope.run, &reason);
        let attempts = match self.in_time(counted).await {
            Ok(attempts) => attempts,
            Err(InboxError::Gone) => return self.settle(AckKind::Ack, Outcome::Cancelled).await,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, reason, "an attempt could not be counted");
                return self.hand_back(Some(job), SOON).await;
            }
        };
        if attempts >= spec.attempts {
            let rejection = Rejection { code: "attempts_used_up".to_owned(), reason };
            return self.reject(handler, job, rejection).await;
        }
        let wait = delay::before_retry(spec, attempts, after);
        tracing::warn!(reason, attempts, delay_ms = wait.as_millis(), "failed; comes again");
        self.settle(AckKind::Nak(Some(wait)), Outcome::Retry).await
    }

    /// Writes the terminal row, publishes what is owed downstream, buries the message.
    async fn reject(&self, handler: &Arc<dyn ErasedHandler>, job: &Arc<Job>, rejection: Rejection) -> Outcome {
        // A job that used up its time was told to stop; what it owes must still go out.
        let job = &Arc::new(job.afresh(self.stop.child_token()));
        let _watch = self.reader.bus.cancels.watch(&job.scope, job.cancelled.clone());
        let (running, owned, body) = (Arc::clone(handler), Arc::clone(job), self.message.payload.clone());
        let told = rejection.clone();
        let work = async move { running.reject(&owned, body, &told).await };
        let owed = match self.ran(run_limited(self.reader.spec.time_limit, job, work).await, job) {
            Ok(outputs) => self.publish(job, outputs).await,
            // There is nothing more to say about it than the dead letter does.
            Err(Failure::Reject { code, reason }) => {
                tracing::warn!(code, reason, "nothing is owed for a rejected message");
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        let buried = match owed {
            Ok(()) => self.bury(&rejection, Some(&job.scope), &job.blocking).await,
            Err(failure) => Err(failure),
        };
        if !self.lease.is_ours() {
            return self.lost(job).await;
        }
        match buried {
            Ok(()) => {
                tracing::warn!(code = rejection.code, reason = rejection.reason, "rejected");
                self.settle(AckKind::Term, Outcome::Rejected).await
            }
            Err(Failure::Cancelled) => self.settle(AckKind::Ack, Outcome::Cancelled).await,
            Err(Failure::HandBack { after }) => self.hand_back(Some(job), after).await,
            Err(Failure::Retry { after, reason }) => self.postpone(job, after, &reason).await,
            Err(Failure::Reject { reason, .. }) => self.postpone(job, None, &reason).await,
        }
    }

    /// Rejecting must succeed in the end, so its failures are never counted.
    async fn postpone(&self, job: &Job, after: Option<Duration>, reason: &str) -> Outcome {
        let wait = delay::before_retry(&self.reader.spec, self.facts.delivered, after);
        tracing::warn!(reason, delay_ms = wait.as_millis(), "cannot be rejected yet; comes again");
        self.hand_back(Some(job), wait).await
    }

    /// Hands work of another version back for a pod of that version. When it has found none for long, nobody will ever
    /// take it: the gateway is told, and its cancel ends this message too.
    async fn leave_to_its_version(&self, job: &Job) -> Outcome {
        let bus = &self.reader.bus;
        if self.facts.delivered >= table::OTHER_VERSION_DELIVERIES {
            tracing::warn!(
                analyser = job.scope.analyser,
                embedding_model = job.scope.embedding_model,
                "no pod works with these versions any more; the run is over"
            );
            if let Err(error) = bus.try_publish(&version_gone(&job.scope)).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the gateway cannot be told; next time");
            }
        }
        self.hand_back(Some(job), bus.timings.other_version_delay()).await
    }

    pub(crate) async fn hand_back(&self, job: Option<&Job>, after: Duration) -> Outcome {
        tracing::debug!(delay_ms = after.as_millis(), "handed back");
        if let Some(job) = job {
            self.note_end(job).await;
        }
        let after = (!after.is_zero()).then_some(after);
        self.settle(AckKind::Nak(after), Outcome::HandedBack).await
    }

    async fn lost(&self, job: &Job) -> Outcome {
        tracing::warn!("the lease is lost; somebody else may have this message");
        self.note_end(job).await;
        Outcome::Lost
    }

    /// A delivery that ended alive is no crash.
    async fn note_end(&self, job: &Job) {
        if self.is_cancelled(job) {
            return;
        }
        let noted = self.reader.inbox.delivery_ended(job.work, job.scope.workspace, job.scope.run);
        if let Err(error) = self.in_time(noted).await {
            tracing::debug!(%error, "the end of a delivery could not be noted");
        }
    }

    /// Asks the inbox, patiently: an outage of the database must not use up deliveries.
    async fn prior(&self, work: WorkId, redelivered: Option<Generation>) -> Result<Prior, Failure> {
        let started = Instant::now();
        let mut backoff = delay::Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            let error = match self.in_time(self.ask_inbox(work, redelivered)).await {
                Ok(known) => return Ok(known),
                Err(InboxError::Gone) => return Err(Failure::Cancelled),
                Err(error) => error,
            };
            tracing::warn!(error = &error as &dyn std::error::Error, "the inbox cannot be asked");
            if started.elapsed() > INBOX_PATIENCE {
                return Err(Failure::HandBack { after: SOON });
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = self.stop.cancelled() => return Err(Failure::HandBack { after: Duration::ZERO }),
            }
        }
    }

    /// Gives an inbox that does not answer up.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, InboxError>>) -> Result<T, InboxError> {
        let within = INBOX_ANSWERS_WITHIN.min(self.reader.spec.ack_wait);
        tokio::time::timeout(within, asked)
            .await
            .unwrap_or_else(|silence| Err(InboxError::Unavailable(Box::new(silence))))
    }

    /// `redelivered` is the generation of a dead letter that was sent again. Its rejection is older than it, and that is
    /// forgotten once: by its first delivery that gets here.
    async fn ask_inbox(&self, work: WorkId, redelivered: Option<Generation>) -> Result<Prior, InboxError> {
        let inbox = &self.reader.inbox;
        let known = inbox.prior(work).await?;
        match redelivered.filter(|generation| known.rejected.is_some() && *generation > known.retried) {
            None => Ok(known),
            Some(generation) => {
                inbox.forget_rejection(work, generation).await?;
                Ok(Prior { retried: generation, ..Prior::default() })
            }
        }
    }

    pub(crate) async fn settle(&self, kind: AckKind, outcome: Outcome) -> Outcome {
        match self.lease.settle(kind).await {
            Ok(()) => outcome,
            Err(SettleError::Lost) => Outcome::Lost,
            Err(error) => {
                // It comes again and finds everything done.
                tracing::warn!(error = &error as &dyn std::error::Error, "a settlement was not confirmed");
                outcome
            }
        }
    }
}

fn version_gone(scope: &Scope) -> Outgoing {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let transition = v1::run_transition::Transition::VersionGone(v1::VersionGone {});
    let message = v1::RunTransition {
        scope: None,
        occurred_at_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        transition: Some(transition),
    };
    Outgoing::new(scope, message)
}

/// A reason in a form that every inbox stores: PostgreSQL knows no NUL, and a reason that cannot be written down would
/// bring its message back for ever, uncounted.
fn storable(reason: &str) -> String {
    reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect()
}

/// How a job shares its connection while it runs.
enum Room<'a> {
    Shared { _lock: RwLockReadGuard<'a, ()> },
    Alone { _lock: RwLockWriteGuard<'a, ()> },
}
