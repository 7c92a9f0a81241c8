//! A provisioned prefix, an inbox in memory and a handler that follows a script.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::{self, AckKind, consumer};
use async_trait::async_trait;
use caffeine_bus::{
    Bus, BusConfig, Failure, Handler, Inbox, InboxError, Job, Outgoing, Prior, Rejection, StorageProfile, Worker,
    provision,
};
use caffeine_contract::{Consumer, ConsumerSpec, Scope, Stream, Subjects, v1};
use caffeine_model::{Generation, Lane, RepositoryId, RunId, WorkId, WorkspaceId};
use caffeine_testkit::{TestBus, eventually};
use futures::StreamExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) struct Fixture {
    pub(crate) broker: TestBus,
    pub(crate) bus: Bus,
    pub(crate) scope: Scope,
    pub(crate) inbox: Arc<MemoryInbox>,
}

/// A message as it lies in a stream.
pub(crate) struct Stored {
    pub(crate) headers: HeaderMap,
    pub(crate) payload: bytes::Bytes,
}

impl Stored {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.as_str())
    }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let fixture = Self::unprovisioned().await;
        provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
        fixture
    }

    pub(crate) async fn unprovisioned() -> Self {
        let broker = TestBus::connect().await;
        let bus = connect(broker.url(), broker.prefix(), "test").await;
        Self { broker, bus, scope: scope(), inbox: Arc::default() }
    }

    pub(crate) async fn another_bus(&self, name: &str) -> Bus {
        connect(self.broker.url(), self.broker.prefix(), name).await
    }

    pub(crate) fn subjects(&self) -> Subjects {
        Subjects::new(self.broker.prefix())
    }

    pub(crate) fn stream(&self, stream: Stream) -> String {
        self.subjects().stream(stream)
    }

    pub(crate) fn batch(&self, number: u32) -> Outgoing {
        batch(&self.scope, number)
    }

    pub(crate) async fn publish_batches(&self, count: u32) {
        for number in 0..count {
            self.bus.try_publish(&self.batch(number)).await.unwrap();
        }
    }

    /// Publishes past the bus: what a hostile or broken writer could do.
    pub(crate) async fn publish_raw(&self, subject: String, headers: HeaderMap, body: &'static [u8]) {
        let ack = self.broker.jetstream().publish_with_headers(subject, headers, body.into()).await.unwrap();
        ack.await.unwrap();
    }

    pub(crate) async fn count(&self, stream: Stream) -> u64 {
        stored_messages(&self.broker.jetstream(), &self.stream(stream)).await
    }

    pub(crate) async fn wait_for(&self, stream: Stream, messages: u64) {
        eventually(SOON, || async { self.count(stream).await == messages }).await;
    }

    pub(crate) async fn contents(&self, stream: Stream) -> Vec<Stored> {
        contents(&self.broker.jetstream(), &self.stream(stream)).await
    }

    /// Gives the provisioned consumer another ack wait than the table's.
    pub(crate) async fn set_ack_wait(&self, consumer: Consumer, ack_wait: Duration) {
        let spec = consumer.spec();
        let durable = Subjects::durable(spec, Lane::Interactive);
        set_ack_wait(&self.broker.jetstream(), &self.stream(spec.stream), &durable, ack_wait).await;
    }

    pub(crate) fn start(&self, spec: ConsumerSpec, handler: &Arc<Script>) -> Running {
        self.start_on(self.bus.clone(), spec, handler)
    }

    pub(crate) fn start_on(&self, bus: Bus, spec: ConsumerSpec, handler: &Arc<Script>) -> Running {
        start(bus, spec, handler, Arc::clone(&self.inbox) as Arc<dyn Inbox>)
    }

    /// Takes a batch and hands it back, as a pod that is stopped does with what it has not begun.
    pub(crate) async fn hand_a_batch_back(&self) {
        let durable = Subjects::durable(Consumer::Chunker.spec(), Lane::Interactive);
        let found: consumer::PullConsumer =
            self.broker.jetstream().get_consumer_from_stream(durable, self.stream(Stream::Files)).await.unwrap();
        let mut taken = found.fetch().max_messages(1).expires(SOON).messages().await.unwrap();
        taken.next().await.unwrap().unwrap().ack_with(AckKind::Nak(None)).await.unwrap();
    }

    /// Takes messages out of a stream, as a reader downstream would.
    pub(crate) async fn drain(&self, stream: Stream, count: usize) -> Vec<String> {
        let spec = Consumer::Embedder.spec();
        let (stream, durable) = (self.stream(stream), Subjects::durable(spec, Lane::Interactive));
        let found: consumer::PullConsumer =
            self.broker.jetstream().get_consumer_from_stream(durable, stream).await.unwrap();
        let mut ids = Vec::new();
        let mut messages = found.messages().await.unwrap();
        while ids.len() < count {
            let message = tokio::time::timeout(SOON, messages.next()).await.unwrap().unwrap().unwrap();
            message.double_ack().await.unwrap();
            let headers = message.headers.clone().unwrap_or_default();
            ids.push(headers.get("Nats-Msg-Id").map_or("", |id| id.as_str()).to_owned());
        }
        ids
    }
}

pub(crate) async fn connect(url: &str, prefix: &str, name: &str) -> Bus {
    let config = BusConfig { url: url.to_owned(), prefix: prefix.to_owned(), name: name.to_owned(), nkey: None };
    Bus::connect(&config).await.unwrap()
}

pub(crate) fn scope() -> Scope {
    Scope {
        workspace: WorkspaceId::generate(),
        repository: RepositoryId::generate(),
        run: RunId::generate(),
        generation: Generation(0),
        lane: Lane::Interactive,
        analyser: "a1".to_owned(),
        embedding_model: "m1".to_owned(),
    }
}

/// Starts a worker on the chunker's consumer.
pub(crate) fn start(bus: Bus, spec: ConsumerSpec, handler: &Arc<Script>, inbox: Arc<dyn Inbox>) -> Running {
    let shutdown = CancellationToken::new();
    let worker =
        Worker::new(bus, Consumer::Chunker, inbox).with_spec(spec).handle::<v1::FilesBatch, _>(Arc::clone(handler));
    let stop = shutdown.clone();
    Running { shutdown, task: tokio::spawn(async move { worker.run(stop).await.unwrap() }) }
}

pub(crate) async fn stored_messages(context: &jetstream::Context, stream: &str) -> u64 {
    context.get_stream(stream).await.unwrap().cached_info().state.messages
}

pub(crate) async fn contents(context: &jetstream::Context, stream: &str) -> Vec<Stored> {
    let stream = context.get_stream(stream).await.unwrap();
    let state = &stream.cached_info().state;
    let mut stored = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        if let Ok(message) = stream.get_raw_message(sequence).await {
            stored.push(Stored { headers: message.headers, payload: message.payload });
        }
    }
    stored
}

pub(crate) async fn set_ack_wait(context: &jetstream::Context, stream: &str, durable: &str, ack_wait: Duration) {
    let found: consumer::Consumer<consumer::Config> = context.get_consumer_from_stream(durable, stream).await.unwrap();
    let config = consumer::Config { ack_wait, ..found.cached_info().config.clone() };
    context.update_consumer_on_stream(config, stream).await.unwrap();
}

pub(crate) fn batch(scope: &Scope, number: u32) -> Outgoing {
    let files = bytes::Bytes::from(format!("files {number}"));
    Outgoing::new(scope, v1::FilesBatch { scope: None, batch: number, files, raw_bytes: 7 })
}

/// What the chunker owes for a batch.
pub(crate) fn output(scope: &Scope, number: u32) -> Outgoing {
    Outgoing::new(scope, v1::ChunksBatch { batch: number, ..v1::ChunksBatch::default() })
}

/// The chunker's row with times that fit a test.
pub(crate) fn quick() -> ConsumerSpec {
    ConsumerSpec {
        attempts: 3,
        first_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(1),
        ..*Consumer::Chunker.spec()
    }
}

/// A worker in the background; dropping it takes it down.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, &mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
pub(crate) struct MemoryInbox {
    pub(crate) priors: Mutex<HashMap<WorkId, Prior>>,
    /// How many deliveries of anything ended without a word.
    pub(crate) crashes: AtomicU32,
    /// The run is gone.
    pub(crate) gone: AtomicBool,
    /// This many questions get no answer.
    pub(crate) silent: AtomicU32,
    pub(crate) reasons: Mutex<Vec<String>>,
    /// How often a rejection was forgotten.
    pub(crate) forgotten: AtomicU32,
}

#[async_trait]
impl Inbox for MemoryInbox {
    async fn prior(&self, work: WorkId) -> Result<Prior, InboxError> {
        if self.silent.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            std::future::pending::<()>().await;
        }
        let known = self.priors.lock().unwrap().get(&work).cloned().unwrap_or_default();
        Ok(Prior { crashes: self.crashes.load(Ordering::SeqCst), ..known })
    }

    async fn count_attempt(
        &self,
        work: WorkId,
        _workspace: WorkspaceId,
        _run: RunId,
        reason: &str,
    ) -> Result<u32, InboxError> {
        if self.gone.load(Ordering::SeqCst) {
            return Err(InboxError::Gone);
        }
        self.reasons.lock().unwrap().push(reason.to_owned());
        let mut priors = self.priors.lock().unwrap();
        let prior = priors.entry(work).or_default();
        prior.attempts += 1;
        Ok(prior.attempts)
    }

    async fn forget_rejection(&self, work: WorkId, generation: Generation) -> Result<(), InboxError> {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.priors.lock().unwrap().insert(work, Prior { retried: generation, ..Prior::default() });
        Ok(())
    }
}

/// What the handler saw of a delivery.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) key: String,
    pub(crate) attempts: u32,
    pub(crate) repeat: bool,
    pub(crate) at: Instant,
}

type Step = Pin<Box<dyn Future<Output = Result<Vec<Outgoing>, Failure>> + Send>>;

/// Calls a closure for each delivery, with the number of calls before it.
pub(crate) struct Script {
    step: Box<dyn Fn(Seen, usize) -> Step + Send + Sync>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) rejections: Mutex<Vec<(String, Rejection, bool)>>,
}

/// What a script may use of a delivery.
pub(crate) struct Seen {
    pub(crate) scope: Scope,
    pub(crate) work: WorkId,
    pub(crate) batch: u32,
    pub(crate) cancelled: CancellationToken,
}

impl Script {
    pub(crate) fn new<F, O>(step: F) -> Arc<Self>
    where
        F: Fn(Seen, usize) -> O + Send + Sync + 'static,
        O: Future<Output = Result<Vec<Outgoing>, Failure>> + Send + 'static,
    {
        let step = Box::new(move |seen, call| Box::pin(step(seen, call)) as Step);
        Arc::new(Self { step, calls: Mutex::default(), rejections: Mutex::default() })
    }

    /// Answers each batch with its output.
    pub(crate) fn simple() -> Arc<Self> {
        Self::new(|seen, _| async move { Ok(vec![output(&seen.scope, seen.batch)]) })
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Handler<v1::FilesBatch> for Script {
    async fn handle(&self, job: &Job, message: v1::FilesBatch) -> Result<Vec<Outgoing>, Failure> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            let call = Call { key: job.key.clone(), attempts: job.attempts, repeat: job.repeat, at: Instant::now() };
            calls.push(call);
            calls.len() - 1
        };
        let seen =
            Seen { scope: job.scope.clone(), work: job.work, batch: message.batch, cancelled: job.cancelled().clone() };
        let outputs = (self.step)(seen, number).await?;
        // More than a few go out one by one, as a real handler would send them.
        if outputs.len() > 10 {
            for outgoing in outputs {
                job.publish(outgoing).await?;
            }
            return Ok(Vec::new());
        }
        Ok(outputs)
    }

    async fn reject(
        &self,
        job: &Job,
        message: Option<v1::FilesBatch>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        self.rejections.lock().unwrap().push((job.key.clone(), rejection.clone(), message.is_some()));
        let failure = v1::Failure { code: rejection.code.clone(), reason: rejection.reason.clone() };
        let batch = job.key.parse().unwrap_or_default();
        let owed = v1::ChunksBatch { batch, failure: Some(failure), ..v1::ChunksBatch::default() };
        Ok(vec![Outgoing::new(&job.scope, owed)])
    }
}
