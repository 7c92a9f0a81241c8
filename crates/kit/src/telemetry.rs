//! Logs, trace context and metrics of a process.

use std::io::IsTerminal as _;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, SdkMeterProvider, Stream};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Registry, TextEncoder};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::config::{LogFormat, Settings};

/// From a query to a run over a large repository.
const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 3_600.0,
    7_200.0, 21_600.0,
];
/// How long one batch of spans may take to its receiver.
const EXPORT_WITHIN: Duration = Duration::from_secs(5);

/// What `/metrics` shows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    registry: Registry,
    // Kept so that readers and ids live as long as the process wants them.
    meters: SdkMeterProvider,
    tracers: SdkTracerProvider,
}

impl Telemetry {
    /// Installs the process-wide logger, propagator, tracer and meter. Once per process.
    ///
    /// # Errors
    /// If the log filter is malformed, or a logger is installed already.
    pub fn install(name: &str, settings: &Settings) -> anyhow::Result<Self> {
        let resource = Resource::builder()
            .with_service_name(format!("caffeine-{name}"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
        let meters = SdkMeterProvider::builder()
            .with_reader(exporter)
            .with_resource(resource.clone())
            .with_view(seconds)
            .build();
        // Without an exporter spans still get real ids, which travel in `traceparent` and stand in the log.
        let mut tracers = SdkTracerProvider::builder().with_resource(resource);
        if let Some(endpoint) = settings.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
            tracers = tracers.with_batch_exporter(span_exporter(endpoint)?);
        }
        let tracers = tracers.build();

        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(tracers.clone());
        global::set_meter_provider(meters.clone());

        let filter = EnvFilter::try_new(&settings.log)
            .map_err(|error| anyhow::anyhow!("the setting `log` is no filter: {error}"))?;
        let terminal = std::io::stderr().is_terminal();
        let lines = match settings.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json }) {
            LogFormat::Text => fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).boxed(),
            LogFormat::Json => fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .with_writer(std::io::stderr)
                .boxed(),
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(tracing_opentelemetry::layer().with_tracer(tracers.tracer("caffeine")).with_filter(
                tracing_subscriber::filter::filter_fn(|metadata| {
                    metadata.is_span() && metadata.target().starts_with("caffeine")
                }),
            ))
            .try_init()?;
        Ok(Self { registry, meters, tracers })
    }

    /// All metrics in the text format of Prometheus.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::warn!(%error, "cannot write the metrics");
        }
        text
    }

    /// Flushes what is buffered.
    pub async fn shutdown(self) {
        // The exporter waits for its receiver on a thread of this runtime, so nothing here may wait on one.
        let flushed = tokio::task::spawn_blocking(move || {
            // A failure here has no reader any more.
            let _ = self.tracers.shutdown();
            let _ = self.meters.shutdown();
        });
        let _ = flushed.await;
    }
}

/// The buckets of every histogram in seconds; the usual ones are made for milliseconds.
fn seconds(instrument: &Instrument) -> Option<Stream> {
    if instrument.kind() != InstrumentKind::Histogram || instrument.unit() != "s" {
        return None;
    }
    let buckets = Aggregation::ExplicitBucketHistogram { boundaries: SECONDS.to_vec(), record_min_max: false };
    Stream::builder().with_aggregation(buckets).build().ok()
}

/// Sends spans in batches, over gRPC: the HTTP exporter's client has no runtime on the thread that sends.
fn span_exporter(endpoint: &str) -> anyhow::Result<SpanExporter> {
    SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_WITHIN)
        .build()
        .map_err(|error| anyhow::anyhow!("the setting `otlp_endpoint` is no address of a receiver: {error}"))
}
