//! How much work waits where: what an operator watches and what pods are added by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::consumer::PullConsumer;
use caffeine_contract::table::{CONSUMERS, STREAMS};
use caffeine_contract::{ConsumerSpec, Subjects};
use caffeine_model::Lane;

use crate::provision::lanes;
use crate::{Bus, BusError};

/// What all readers and streams of the contract say at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    /// One per durable consumer.
    pub consumers: Vec<ConsumerLevel>,
    /// One per stream.
    pub streams: Vec<StreamLevel>,
}

/// A durable consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerLevel {
    /// The durable's name without its lane (`chunker`, `linker`, …).
    pub stage: &'static str,
    /// Whose work it reads.
    pub lane: Lane,
    /// The stream's name in the contract (`FILES`).
    pub stream: &'static str,
    /// Messages that nobody has yet.
    pub waiting: u64,
    /// Messages that somebody works on, or that come again after a delay.
    pub in_flight: u64,
    /// The most that may be in flight.
    pub max_in_flight: u64,
    /// Of those in flight: not delivered for the first time.
    pub redelivered: u64,
    /// Slots of pods that ask for work.
    pub pulls: u64,
    /// Since when the oldest message that is not done lies there.
    pub oldest: Option<Duration>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLevel {
    /// Its name in the contract (`FILES`).
    pub stream: &'static str,
    /// Messages stored.
    pub messages: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// The most bytes it takes; `None` if it has no limit.
    pub limit_bytes: Option<u64>,
}

impl Bus {
    /// Asks every consumer and stream of the contract. Needs the right to ask for them, and to read their messages.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn levels(&self) -> Result<Levels, BusError> {
        let mut levels = Levels::default();
        for spec in CONSUMERS {
            for lane in lanes(spec) {
                levels.consumers.push(self.consumer_level(spec, *lane).await?);
            }
        }
        for spec in STREAMS {
            let name = self.subjects.stream(spec.stream);
            let found = self
                .jetstream
                .get_stream(&name)
                .await
                .map_err(|error| BusError::broker(format!("ask for the stream {name}"), error))?;
            let (state, config) = (&found.cached_info().state, &found.cached_info().config);
            levels.streams.push(StreamLevel {
                stream: spec.name,
                messages: state.messages,
                bytes: state.bytes,
                limit_bytes: u64::try_from(config.max_bytes).ok().filter(|limit| *limit > 0),
            });
        }
        Ok(levels)
    }

    async fn consumer_level(&self, spec: &ConsumerSpec, lane: Lane) -> Result<ConsumerLevel, BusError> {
        let name = self.subjects.stream(spec.stream);
        let durable = Subjects::durable(spec, lane);
        let consumer: PullConsumer = self
            .jetstream
            .get_consumer_from_stream(&durable, &name)
            .await
            .map_err(|error| BusError::broker(format!("ask for the consumer {durable} on {name}"), error))?;
        let info = consumer.cached_info();
        let mut oldest = None;
        for filter in self.subjects.filters(spec, lane) {
            if let Some(stored) = self.next_stored(spec.stream, &filter, info.ack_floor.stream_sequence + 1).await? {
                oldest = oldest.max(Some(age(stored.at)));
            }
        }
        Ok(ConsumerLevel {
            stage: spec.durable,
            lane,
            stream: spec.stream.spec().name,
            waiting: info.num_pending,
            in_flight: info.num_ack_pending as u64,
            max_in_flight: u64::try_from(info.config.max_ack_pending).unwrap_or_default(),
            redelivered: info.num_redelivered as u64,
            pulls: info.num_waiting as u64,
            oldest,
        })
    }
}

/// How long ago something was stored, by the broker's clock then and ours now.
fn age(stored_at: Duration) -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(stored_at)
}
