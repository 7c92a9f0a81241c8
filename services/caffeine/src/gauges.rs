//! What the housekeeper shows of everybody: how much work waits where, and how many runs are in which state. It may ask
//! the broker for it, so no exporter stands beside the broker.

use std::time::{SystemTime, UNIX_EPOCH};

use caffeine_bus::{ConsumerLevel, Levels};
use caffeine_model::RunState;
use opentelemetry::metrics::{Gauge, Meter};
use opentelemetry::{KeyValue, global};

/// The instruments.
pub(crate) struct Gauges {
    waiting: Gauge<u64>,
    in_flight: Gauge<u64>,
    max_in_flight: Gauge<u64>,
    redelivered: Gauge<u64>,
    pulls: Gauge<u64>,
    oldest: Gauge<f64>,
    messages: Gauge<u64>,
    bytes: Gauge<u64>,
    limit_bytes: Gauge<u64>,
    dead: Gauge<u64>,
    runs: Gauge<u64>,
    last_pass: Gauge<f64>,
}

impl Default for Gauges {
    fn default() -> Self {
        let meter = global::meter("caffeine-housekeeper");
        let whole = |name, text| gauge(&meter, name, text);
        Self {
            waiting: whole("caffeine.consumer.pending", "Messages that nobody has yet."),
            in_flight: whole("caffeine.consumer.ack_pending", "Messages that somebody works on, or that come again."),
            max_in_flight: whole("caffeine.consumer.max_ack_pending", "The most messages in flight."),
            redelivered: whole("caffeine.consumer.redelivered", "Messages in flight that were delivered before."),
            pulls: whole("caffeine.consumer.waiting", "Slots of pods that ask for work."),
            oldest: meter
                .f64_gauge("caffeine.consumer.oldest")
                .with_unit("s")
                .with_description("Age of the oldest message that is not done; 0 if there is none.")
                .build(),
            messages: whole("caffeine.stream.messages", "Messages stored."),
            bytes: whole("caffeine.stream.bytes", "Bytes stored."),
            limit_bytes: whole("caffeine.stream.limit_bytes", "The most bytes a stream takes; 0 for no limit."),
            dead: whole("caffeine.dead.depth", "Dead letters that wait for a person."),
            runs: whole("caffeine.runs", "Runs that have not ended."),
            last_pass: meter
                .f64_gauge("caffeine.housekeeper.last_pass")
                .with_unit("s")
                .with_description("When a pass last ended well, in seconds since 1970.")
                .build(),
        }
    }
}

fn gauge(meter: &Meter, name: &'static str, text: &'static str) -> Gauge<u64> {
    meter.u64_gauge(name).with_description(text).build()
}

impl Gauges {
    /// Shows what the broker says.
    pub(crate) fn levels(&self, levels: &Levels) {
        for consumer in &levels.consumers {
            self.consumer(consumer);
        }
        for stream in &levels.streams {
            let labels = [KeyValue::new("stream", stream.stream)];
            self.messages.record(stream.messages, &labels);
            self.bytes.record(stream.bytes, &labels);
            self.limit_bytes.record(stream.limit_bytes.unwrap_or_default(), &labels);
            if stream.stream == caffeine_contract::Stream::Dead.spec().name {
                self.dead.record(stream.messages, &[]);
            }
        }
    }

    fn consumer(&self, level: &ConsumerLevel) {
        let labels = [
            KeyValue::new("stage", level.stage),
            KeyValue::new("lane", level.lane.as_str()),
            KeyValue::new("stream", level.stream),
        ];
        self.waiting.record(level.waiting, &labels);
        self.in_flight.record(level.in_flight, &labels);
        self.max_in_flight.record(level.max_in_flight, &labels);
        self.redelivered.record(level.redelivered, &labels);
        self.pulls.record(level.pulls, &labels);
        self.oldest.record(level.oldest.unwrap_or_default().as_secs_f64(), &labels);
    }

    /// Shows how many runs are in each state that is no end; a state without a run is 0.
    pub(crate) fn runs(&self, counts: &[(RunState, u64)]) {
        for state in RunState::ALL.iter().filter(|state| !state.is_terminal()) {
            let count = counts.iter().find(|(counted, _)| counted == state).map_or(0, |(_, count)| *count);
            self.runs.record(count, &[KeyValue::new("state", state.as_str())]);
        }
    }

    /// Notes that a pass has ended well now.
    pub(crate) fn passed(&self, pass: &'static str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_pass.record(now.as_secs_f64(), &[KeyValue::new("pass", pass)]);
    }
}
