use caffeine_bus::{Failure, Handler, Inbox, Job, NoInbox, Outgoing, Rejection, Worker};
use caffeine_contract::{Consumer, Stream, headers, v1};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::fixture::{Fixture, Script, quick};

struct Cloner;

#[async_trait::async_trait]
impl Handler<v1::CloneRequested> for Cloner {
    async fn handle(&self, job: &Job, _: v1::CloneRequested) -> Result<Vec<Outgoing>, Failure> {
        Ok(vec![crate::fixture::batch(&job.scope, 1)])
    }

    async fn reject(&self, _: &Job, _: Option<v1::CloneRequested>, _: &Rejection) -> Result<Vec<Outgoing>, Failure> {
        Ok(Vec::new())
    }
}

/// The 32 digits of the trace in a `traceparent`.
fn trace_of(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_run_is_one_trace_and_each_batch_another() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test"))).init();

    let fixture = Fixture::new().await;
    let request = Outgoing::new(&fixture.scope, v1::CloneRequested::default());
    fixture.bus.try_publish(&request).instrument(tracing::info_span!("request")).await.unwrap();
    let sent = fixture.contents(Stream::Clone).await[0].header(headers::TRACEPARENT).to_owned();
    assert_eq!(trace_of(&sent).len(), 32, "{sent}");

    let shutdown = CancellationToken::new();
    let worker = Worker::new(fixture.bus.clone(), Consumer::Cloner, Arc::new(NoInbox) as Arc<dyn Inbox>)
        .handle::<v1::CloneRequested, _>(Arc::new(Cloner));
    let cloning = tokio::spawn(worker.run(shutdown.clone()));
    fixture.wait_for(Stream::Clone, 0).await;
    shutdown.cancel();
    cloning.await.unwrap().unwrap();
    let batch = fixture.contents(Stream::Files).await[0].header(headers::TRACEPARENT).to_owned();
    assert_eq!(trace_of(&batch), trace_of(&sent));
    assert_ne!(batch, sent, "another span of the same trace");

    let chunking = fixture.start(quick(), &Script::simple());
    fixture.wait_for(Stream::Files, 0).await;
    chunking.stop().await;
    let chunks = fixture.contents(Stream::Chunks).await[0].header(headers::TRACEPARENT).to_owned();
    assert_eq!(trace_of(&chunks).len(), 32, "{chunks}");
    // The delivery of a batch only links to the run's trace, and what it leads to goes on there: the last batch of a run
    // has its files linked.
    assert_eq!(chunks, batch);
}
