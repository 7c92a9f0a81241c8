//! The runtime's instruments. Labels never name a workspace or a run.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use opentelemetry::{KeyValue, global};

pub(crate) struct Metrics {
    process_duration: Histogram<f64>,
    consumed: Counter<u64>,
    sent: Counter<u64>,
    operation_duration: Histogram<f64>,
    age: Histogram<f64>,
    inflight: UpDownCounter<i64>,
    redelivered: Counter<u64>,
    lease_lost: Counter<u64>,
    blocked: Counter<f64>,
    retries: Counter<u64>,
    dead: Counter<u64>,
    reaped: Counter<u64>,
    nats_events: Counter<u64>,
}

/// The instruments, made when first used: the process must have its meter provider by then.
pub(crate) fn get() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(Metrics::new)
}

impl Metrics {
    fn new() -> Self {
        let meter = global::meter("caffeine.bus");
        Self {
            process_duration: meter
                .f64_histogram("messaging.process.duration")
                .with_unit("s")
                .with_description("From the delivery of a message to its settlement.")
                .build(),
            consumed: meter
                .u64_counter("messaging.client.consumed.messages")
                .with_description("Deliveries taken.")
                .build(),
            sent: meter
                .u64_counter("messaging.client.sent.messages")
                .with_description("Messages stored by the broker.")
                .build(),
            operation_duration: meter
                .f64_histogram("messaging.client.operation.duration")
                .with_unit("s")
                .with_description("Until the broker has confirmed that a message is stored, or settled.")
                .build(),
            age: meter
                .f64_histogram("caffeine.work.age")
                .with_unit("s")
                .with_description("From the publishing of a message to its delivery.")
                .build(),
            inflight: meter.i64_up_down_counter("caffeine.work.inflight").with_description("Jobs running.").build(),
            redelivered: meter
                .u64_counter("caffeine.work.redelivered")
                .with_description("Deliveries that were not the first of their message.")
                .build(),
            lease_lost: meter
                .u64_counter("caffeine.work.lease_lost")
                .with_description("Jobs dropped because the broker may have given them to somebody else.")
                .build(),
            blocked: meter
                .f64_counter("caffeine.publish.blocked")
                .with_unit("s")
                .with_description("Time spent waiting for room downstream.")
                .build(),
            retries: meter
                .u64_counter("caffeine.publish.retries")
                .with_description("Publishes repeated with the same id.")
                .build(),
            dead: meter.u64_counter("caffeine.dead.messages").with_description("Dead letters written.").build(),
            reaped: meter
                .u64_counter("caffeine.reaper.removed")
                .with_description("Messages that the broker would not have delivered any more.")
                .build(),
            nats_events: meter
                .u64_counter("caffeine.nats.events")
                .with_description("What the broker's client reports.")
                .build(),
        }
    }

    /// Begins to count what may never happen at 0: the first time would else not be seen as an increase.
    pub(crate) fn known(&self, stage: &'static str) {
        self.lease_lost.add(0, &[KeyValue::new("stage", stage)]);
    }

    pub(crate) fn taken(&self, stage: &'static str, lane: &'static str, age: Duration, redelivery: bool) {
        let labels = [KeyValue::new("stage", stage), KeyValue::new("lane", lane)];
        self.consumed.add(1, &labels);
        self.age.record(age.as_secs_f64(), &labels);
        self.inflight.add(1, &labels);
        self.redelivered.add(u64::from(redelivery), &labels);
    }

    pub(crate) fn settled(&self, stage: &'static str, lane: &'static str, outcome: &'static str, took: Duration) {
        self.inflight.add(-1, &[KeyValue::new("stage", stage), KeyValue::new("lane", lane)]);
        let labels = [KeyValue::new("stage", stage), KeyValue::new("lane", lane), KeyValue::new("outcome", outcome)];
        self.process_duration.record(took.as_secs_f64(), &labels);
    }

    pub(crate) fn sent(&self, stream: &str, took: Duration) {
        self.sent.add(1, &[KeyValue::new("stream", stream.to_owned())]);
        self.confirmed("send", took);
    }

    /// The broker has confirmed something: `send` or `settle`.
    pub(crate) fn confirmed(&self, operation: &'static str, took: Duration) {
        self.operation_duration.record(took.as_secs_f64(), &[KeyValue::new("operation", operation)]);
    }

    pub(crate) fn lease_lost(&self, stage: &'static str) {
        self.lease_lost.add(1, &[KeyValue::new("stage", stage)]);
    }

    pub(crate) fn blocked(&self, stream: &'static str, time: Duration) {
        self.blocked.add(time.as_secs_f64(), &[KeyValue::new("stream", stream)]);
    }

    pub(crate) fn publish_retry(&self, code: String) {
        self.retries.add(1, &[KeyValue::new("code", code)]);
    }

    pub(crate) fn dead(&self, stage: &'static str, code: &str) {
        self.dead.add(1, &[KeyValue::new("stage", stage), KeyValue::new("error", code.to_owned())]);
    }

    pub(crate) fn reaped(&self, dropped: usize, sent: usize) {
        for (kind, count) in [("dropped", dropped), ("sent", sent)] {
            self.reaped.add(count as u64, &[KeyValue::new("kind", kind)]);
        }
    }

    pub(crate) fn nats_event(&self, kind: &'static str) {
        self.nats_events.add(1, &[KeyValue::new("kind", kind)]);
    }
}
