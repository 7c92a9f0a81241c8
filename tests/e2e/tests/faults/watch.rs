//! Everything that is said on the broker, as a bystander hears it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_nats::HeaderMap;
use bytes::Bytes;
use caffeine_testkit::TestBus;
use futures::StreamExt as _;
use tokio::task::JoinHandle;

/// Marks what the tests publish themselves, so that it is not heard as the services' own.
pub(crate) const COPY: &str = "Chaos-Copy";

/// A work message as it was published.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is known about one stored message: its deliveries are numbered from 1.
#[derive(Debug, Default)]
struct Deliveries {
    last: u64,
    handed_back: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Notes {
    deliveries: BTreeMap<(String, u64), Deliveries>,
    /// Streams of messages that came again although nobody had handed them back, and when their new readers were first
    /// heard of: one entry per such delivery.
    silent_redeliveries: Vec<(String, SystemTime)>,
    handed_back: u64,
    /// Words that bring a message back or end it, after a later delivery had been heard of. An acknowledgement is none of
    /// them: the work is done, and a process that is frozen in between sends when it wakes what it had begun to say.
    stale: Vec<String>,
    published: Vec<Heard>,
}

/// A listener; it ends when dropped.
pub(crate) struct Watch {
    notes: Arc<Mutex<Notes>>,
    listening: [JoinHandle<()>; 2],
}

impl Watch {
    pub(crate) async fn start(bus: &TestBus) -> Self {
        let notes = Arc::new(Mutex::new(Notes::default()));
        let prefix = format!("{}_", bus.prefix());
        let mut settlements = bus.client().subscribe("$JS.ACK.>").await.expect("the broker takes subscriptions");
        let into = Arc::clone(&notes);
        let hearing_settlements = tokio::spawn(async move {
            while let Some(message) = settlements.next().await {
                if let Some(settled) = Settled::read(&message.subject, &prefix) {
                    lock(&into).settled(settled, &message.payload);
                }
            }
        });
        let all = format!("{}.caffeine.v1.>", bus.prefix());
        let root = format!("{}.caffeine.v1.", bus.prefix());
        let mut published = bus.client().subscribe(all).await.expect("the broker takes subscriptions");
        let into = Arc::clone(&notes);
        let hearing_work = tokio::spawn(async move {
            while let Some(message) = published.next().await {
                let rest = message.subject.strip_prefix(&root).unwrap_or_default();
                let is_work = !["event.", "control.", "dead."].iter().any(|other| rest.starts_with(other));
                let headers = message.headers.unwrap_or_default();
                // A service that tries its rights when it starts publishes nothing that could be stored.
                let tried = headers.get("Nats-Expected-Stream").is_some();
                if is_work && !tried && headers.get(COPY).is_none() {
                    let subject = message.subject.to_string();
                    lock(&into).published.push(Heard { subject, headers, body: message.payload });
                }
            }
        });
        Self { notes, listening: [hearing_settlements, hearing_work] }
    }

    /// Forgets what was heard: a new seed begins.
    pub(crate) fn forget(&self) {
        *self.notes() = Notes::default();
    }

    /// Work messages that have been published since the last call.
    pub(crate) fn take_published(&self) -> Vec<Heard> {
        std::mem::take(&mut self.notes().published)
    }

    /// How many messages of these streams came again although nobody had handed them back.
    pub(crate) fn silent_redeliveries(&self, of: impl Fn(&str) -> bool) -> usize {
        self.notes().silent_redeliveries.iter().filter(|(stream, _)| of(stream)).count()
    }

    /// When such a message of a stream was first heard of after a moment. Its reader has had it for up to a third of the
    /// ack wait by then. Deliveries themselves are not listened to: whoever listens to the inbox of a reader that is gone
    /// makes the broker believe that it is still there.
    pub(crate) fn first_silent_redelivery(&self, stream: &str, after: SystemTime) -> Option<SystemTime> {
        let notes = self.notes();
        let found = notes.silent_redeliveries.iter().filter(|(of, at)| of == stream && *at >= after);
        found.map(|(_, at)| *at).min()
    }

    /// How many deliveries were handed back.
    pub(crate) fn handed_back(&self) -> u64 {
        self.notes().handed_back
    }

    /// Words that would have disturbed whoever had the message by then.
    pub(crate) fn stale(&self) -> Vec<String> {
        self.notes().stale.clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.listening {
            task.abort();
        }
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which delivery of which message an acknowledgement is about.
struct Settled {
    stream: String,
    sequence: u64,
    delivery: u64,
}

impl Settled {
    /// `$JS.ACK.<stream>.<consumer>.<delivery>.<sequence>.…`
    fn read(subject: &str, prefix: &str) -> Option<Self> {
        let mut parts = subject.split('.').skip(2);
        let stream = parts.next()?.strip_prefix(prefix)?.to_owned();
        let delivery = parts.nth(1)?.parse().ok()?;
        let sequence = parts.next()?.parse().ok()?;
        Some(Self { stream, sequence, delivery })
    }
}

impl Notes {
    fn settled(&mut self, settled: Settled, word: &[u8]) {
        let Settled { stream, sequence, delivery } = settled;
        let word = String::from_utf8_lossy(word);
        let known = self.deliveries.entry((stream.clone(), sequence)).or_default();
        if delivery > known.last {
            if delivery > 1 && !known.handed_back.contains(&(delivery - 1)) {
                self.silent_redeliveries.push((stream.clone(), SystemTime::now()));
            }
            known.last = delivery;
        }
        if word.starts_with("-NAK") {
            known.handed_back.insert(delivery);
            self.handed_back += 1;
        }
        if delivery < known.last && (word.starts_with("-NAK") || word.starts_with("+TERM")) {
            let last = known.last;
            self.stale.push(format!(
                "{word} for delivery {delivery} of {stream} {sequence}, which is out for the {last}th time"
            ));
        }
    }
}
