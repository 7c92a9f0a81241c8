//! Finds messages that the broker will not deliver any more, and sends them again.
//!
//! A work-queue message stored at or below its consumer's ack floor is settled for the consumer and still in the
//! stream: nobody gets it, and it takes a place in its subject's window for good. nats-server 2.15.1 leaves such ghosts
//! behind when it is killed (about three per kill; a graceful stop leaves none), other versions after a change of
//! leader (nats-server#5839, #7680, #4736).
//!
//! A ghost may be finished work or lost work; only the outcome of its run would tell. So it is copied to the dead
//! letters under a stage of their own, deleted, sent again in the next generation, and the copy removed: killed at any
//! line, the next pass goes on from the copy. Outcomes and fan-in ignore generations, so finished work is only repeated.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::PullConsumer;
use caffeine_contract::table::{CONSUMERS, MAX_REAPED};
use caffeine_contract::{ConsumerSpec, Stream, Subjects, headers};
use caffeine_model::{Generation, RunId, WorkId};
use tokio::time::Instant;

use crate::headers::{Envelope, set};
use crate::provision::lanes;
use crate::publish::Letter;
use crate::stored::Stored;
use crate::{Bus, BusError, PublishError, metrics};

/// The stage of copies that wait to be sent again, in the subjects of dead letters.
const STAGE: &str = "undeliverable";

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Ghosts that were taken out of their streams.
    pub found: usize,
    /// Of those and earlier ones: dropped, because their runs are over.
    pub dropped: usize,
    /// Sent again.
    pub sent: usize,
    /// Left for a later pass: no room, or not readable enough to be sent.
    pub kept: usize,
}

/// Looks for ghosts; remembers since when it has seen each.
pub struct Reaper {
    bus: Bus,
    /// How long a message must have been a ghost: an acknowledgement that is just being processed looks the same.
    age: Duration,
    seen: HashMap<(Stream, u64), Instant>,
}

impl Reaper {
    /// A reaper that takes what has been a ghost for `age`.
    #[must_use]
    pub fn new(bus: Bus, age: Duration) -> Self {
        Self { bus, age, seen: HashMap::new() }
    }

    /// One pass over all streams. `is_over` says whether a run has ended or is gone.
    ///
    /// # Errors
    /// If the broker cannot be asked, or what `is_over` says; what was done until then stays done.
    pub async fn pass<E, F>(&mut self, mut is_over: impl FnMut(RunId) -> F) -> Result<Reaped, E>
    where
        E: From<BusError>,
        F: Future<Output = Result<bool, E>>,
    {
        let mut reaped = Reaped::default();
        for (stream, ghost) in self.ripe().await? {
            self.bury(stream, &ghost).await?;
            reaped.found += 1;
        }
        self.send_again(&mut reaped, &mut is_over).await?;
        metrics::get().reaped(reaped.dropped, reaped.sent);
        Ok(reaped)
    }

    /// The ghosts that are old enough.
    async fn ripe(&mut self) -> Result<Vec<(Stream, Stored)>, BusError> {
        let now = Instant::now();
        let mut seen = HashMap::new();
        let mut ripe = Vec::new();
        for spec in CONSUMERS {
            for ghost in ghosts(&self.bus, spec).await? {
                let key = (spec.stream, ghost.sequence);
                let since = self.seen.get(&key).copied().unwrap_or(now);
                if now.duration_since(since) >= self.age {
                    ripe.push((spec.stream, ghost));
                } else {
                    seen.insert(key, since);
                }
            }
        }
        self.seen = seen;
        Ok(ripe)
    }

    /// Copies a ghost to the dead letters and deletes it.
    async fn bury(&self, stream: Stream, ghost: &Stored) -> Result<(), BusError> {
        let envelope = ghost.envelope();
        let (workspace, repository) =
            envelope.scope.map(|scope| (scope.workspace.to_string(), scope.repository.to_string())).unwrap_or_default();
        let name = self.bus.subjects.stream(stream);
        let mut map = without_broker_headers(&ghost.headers);
        // The time tells it from a message of an earlier life of the stream.
        let id = format!("undeliverable:{name}:{}:{}", ghost.sequence, ghost.at.as_nanos());
        set(&mut map, headers::MESSAGE_ID, &id);
        set(&mut map, headers::DEAD_SUBJECT, &ghost.subject);
        set(&mut map, headers::DEAD_STREAM, &name);
        set(&mut map, headers::DEAD_SEQUENCE, &ghost.sequence.to_string());
        set(&mut map, headers::DEAD_CODE, STAGE);
        set(&mut map, headers::DEAD_REASON, "the broker would not have delivered it any more; it is sent again");
        let subject = self.bus.subjects.dead(STAGE, &workspace, &repository);
        self.bus
            .store(subject, Stream::Dead.spec().name, map, ghost.body.clone())
            .await
            .map_err(|error| BusError::broker("copy an undeliverable message", error))?;
        tracing::warn!(stream = name, sequence = ghost.sequence, subject = ghost.subject, "undeliverable; taken out");
        self.bus.remove_stored(stream, ghost.sequence).await
    }

    /// Goes through the copies, of this pass and of earlier ones that did not come to their end.
    async fn send_again<E, F>(&self, reaped: &mut Reaped, is_over: &mut impl FnMut(RunId) -> F) -> Result<(), E>
    where
        E: From<BusError>,
        F: Future<Output = Result<bool, E>>,
    {
        let waiting = self.bus.subjects.dead_letters_of(STAGE);
        let mut from = 1;
        while let Some(copy) = self.bus.next_stored(Stream::Dead, &waiting, from).await? {
            from = copy.sequence + 1;
            let envelope = copy.envelope();
            let over = match &envelope.scope {
                Some(scope) => is_over(scope.run).await?,
                None => false,
            };
            if over {
                reaped.dropped += 1;
            } else {
                match self.send(&copy, envelope).await? {
                    Sent::Stored => reaped.sent += 1,
                    Sent::NoRoom | Sent::Unreadable => {
                        reaped.kept += 1;
                        continue;
                    }
                }
            }
            self.bus.remove_stored(Stream::Dead, copy.sequence).await?;
        }
        Ok(())
    }

    async fn send(&self, copy: &Stored, envelope: Envelope) -> Result<Sent, BusError> {
        let times = u32::try_from(copy.number(headers::REAPED).unwrap_or_default()).unwrap_or(u32::MAX) + 1;
        let Some(mut letter) = again(copy, &envelope) else { return Ok(Sent::Unreadable) };
        set(&mut letter.headers, headers::REAPED, &times.to_string());
        if times >= MAX_REAPED {
            let reason = format!("the broker lost sight of it {times} times");
            set(&mut letter.headers, headers::REJECT_UNRUN, &reason);
        }
        match self.bus.store(letter.subject, letter.stream, letter.headers, letter.body).await {
            Ok(()) => Ok(Sent::Stored),
            Err(PublishError::Full { .. }) => Ok(Sent::NoRoom),
            Err(error) => Err(BusError::broker("send an undeliverable message again", error)),
        }
    }
}

enum Sent {
    Stored,
    NoRoom,
    Unreadable,
}

/// Everything at or below the ack floor of a consumer that its stream still holds.
async fn ghosts(bus: &Bus, spec: &ConsumerSpec) -> Result<Vec<Stored>, BusError> {
    let name = bus.subjects.stream(spec.stream);
    let mut found = Vec::new();
    for lane in lanes(spec) {
        let durable = Subjects::durable(spec, *lane);
        let consumer: PullConsumer = bus
            .jetstream
            .get_consumer_from_stream(&durable, &name)
            .await
            .map_err(|error| BusError::broker(format!("ask for the consumer {durable} on {name}"), error))?;
        let floor = consumer.cached_info().ack_floor.stream_sequence;
        for filter in bus.subjects.filters(spec, *lane) {
            let mut from = 1;
            while from <= floor
                && let Some(stored) = bus.next_stored(spec.stream, &filter, from).await?
                && stored.sequence <= floor
            {
                from = stored.sequence + 1;
                found.push(stored);
            }
        }
    }
    Ok(found)
}

/// The message that a dead letter was, in the next generation; `None` if its headers do not say what it was.
pub(crate) fn again(copy: &Stored, envelope: &Envelope) -> Option<Letter> {
    let (kind, scope, key) = (envelope.kind?, envelope.scope.as_ref()?, envelope.key.as_ref()?);
    let next = Generation(scope.generation.0).next();
    let mut map = kept_headers(&copy.headers, &["Nats-", "Caffeine-Dead-", headers::REAPED, headers::REJECT_UNRUN]);
    let id = WorkId::derive(scope.run, kind.spec().name, key).message(next);
    set(&mut map, headers::MESSAGE_ID, &id.to_string());
    set(&mut map, headers::GENERATION, &next.0.to_string());
    Some(Letter {
        subject: copy.header(headers::DEAD_SUBJECT)?.to_owned(),
        stream: kind.spec().stream.spec().name,
        headers: map,
        body: copy.body.clone(),
    })
}

/// All headers but those that steer the broker: they would steer a copy as they steered the original.
pub(crate) fn without_broker_headers(map: &HeaderMap) -> HeaderMap {
    kept_headers(map, &["Nats-"])
}

/// All headers whose name begins with none of these.
fn kept_headers(map: &HeaderMap, left_out: &[&str]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in map.iter() {
        let text: &str = name.as_ref();
        if !left_out.iter().any(|start| text.starts_with(start)) {
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    kept
}
