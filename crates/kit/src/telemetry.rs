//! Logs, trace context and metrics of a process.

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Registry, TextEncoder};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::config::{LogFormat, Settings};

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
        let meters = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource.clone()).build();
        // No exporter yet: spans get real ids, which travel in `traceparent` and stand in the log.
        let tracers = SdkTracerProvider::builder().with_resource(resource).build();

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
    pub fn shutdown(&self) {
        // A failure here has no reader any more, and nothing is exported over the network yet.
        let _ = self.tracers.shutdown();
        let _ = self.meters.shutdown();
    }
}
