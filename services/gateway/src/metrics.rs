//! The gateway's instruments.

use std::sync::LazyLock;
use std::time::Duration;

use caffeine_model::RunState;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};

/// All of them; made on first use, when the exporter is in place.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub(crate) struct Metrics {
    /// Seconds per request, by method and status.
    requests: Histogram<f64>,
    /// Messages of the outbox by what became of them.
    relayed: Counter<u64>,
    /// Seconds from the request of a run to its end, by how it ended.
    runs: Histogram<f64>,
    /// Transitions by what became of them.
    transitions: Counter<u64>,
    /// Open event streams.
    pub(crate) streams: UpDownCounter<i64>,
}

impl Metrics {
    fn new() -> Self {
        let meter = opentelemetry::global::meter("caffeine-gateway");
        Self {
            requests: meter.f64_histogram("caffeine.gateway.requests").with_unit("s").build(),
            relayed: meter.u64_counter("caffeine.gateway.outbox_messages").with_unit("{message}").build(),
            runs: meter.f64_histogram("caffeine.run.duration").with_unit("s").build(),
            transitions: meter.u64_counter("caffeine.gateway.transitions").with_unit("{transition}").build(),
            streams: meter.i64_up_down_counter("caffeine.gateway.event_streams").with_unit("{stream}").build(),
        }
    }

    pub(crate) fn request(&self, method: &str, status: u16, seconds: f64) {
        let labels = [KeyValue::new("method", method.to_owned()), KeyValue::new("status", i64::from(status))];
        self.requests.record(seconds, &labels);
    }

    /// `outcome` is `published`, `full`, `unavailable` or `broken`.
    pub(crate) fn relayed(&self, outcome: &'static str) {
        self.relayed.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// A run has ended.
    pub(crate) fn run_ended(&self, state: RunState, age: Duration) {
        self.runs.record(age.as_secs_f64(), &[KeyValue::new("outcome", state.as_str())]);
    }

    /// `outcome` is `stored`, `known` or `gone`.
    pub(crate) fn transition(&self, outcome: &'static str) {
        self.transitions.add(1, &[KeyValue::new("outcome", outcome)]);
    }
}
