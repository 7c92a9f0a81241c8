//! Everything that is said on the broker, as a bystander hears it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use bytes::Bytes;
use caffeine_e2e::SERVICES;
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

/// A delivery that came although nobody had handed back the one before: its reader had died, or was taken for dead.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    /// Kind of the message, and its key behind `#`.
    pub(crate) what: String,
    pub(crate) at: SystemTime,
    /// Since the last sign of life of the delivery before.
    pub(crate) after: Duration,
}

impl Again {
    /// Whether it is the message that a fault names: a kind, or a kind with a key.
    pub(crate) fn is(&self, message: &str) -> bool {
        self.what == message || self.what.split('#').next() == Some(message)
    }
}

/// What is known about one stored message: its deliveries are numbered from 1.
#[derive(Debug, Default)]
struct Deliveries {
    last: u64,
    handed_back: BTreeSet<u64>,
    what: String,
    /// When each was sent to a reader, and when its reader last said that it works. Kept beside the numbers above, since
    /// what is heard on one subscription may be read after what followed it on another one.
    came: BTreeMap<u64, SystemTime>,
    alive: BTreeMap<u64, SystemTime>,
}

#[derive(Debug, Default)]
struct Notes {
    deliveries: BTreeMap<(String, u64), Deliveries>,
    /// Streams of messages that came again although nobody had handed them back: one entry per such delivery.
    silent_redeliveries: Vec<String>,
    handed_back: u64,
    /// Words that bring a message back or end it, after a later delivery had been heard of. An acknowledgement is none of
    /// them: the work is done, and a process that is frozen in between sends when it wakes what it had begun to say.
    stale: Vec<String>,
    published: Vec<Heard>,
}

/// A listener; it ends when dropped.
pub(crate) struct Watch {
    notes: Arc<Mutex<Notes>>,
    listening: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(crate) async fn start(bus: &TestBus) -> Self {
        let notes = Arc::new(Mutex::new(Notes::default()));
        let prefix = format!("{}_", bus.prefix());
        let acknowledged = prefix.clone();
        let mut settlements = bus.client().subscribe("$JS.ACK.>").await.expect("the broker takes subscriptions");
        let into = Arc::clone(&notes);
        let hearing_settlements = tokio::spawn(async move {
            while let Some(message) = settlements.next().await {
                if let Some(settled) = Settled::read(&message.subject, &acknowledged) {
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
        let mut listening = vec![hearing_settlements, hearing_work];
        for service in SERVICES {
            let inbox = format!("_INBOX_{service}.>");
            let mut answers = bus.client().subscribe(inbox).await.expect("the broker takes subscriptions");
            let (into, prefix) = (Arc::clone(&notes), prefix.clone());
            listening.push(tokio::spawn(async move {
                while let Some(message) = answers.next().await {
                    // Only what is delivered from a stream has to be acknowledged.
                    let delivered = message.reply.and_then(|reply| Settled::read(&reply, &prefix));
                    if let Some(delivered) = delivered {
                        lock(&into).delivered(delivered, &message.headers.unwrap_or_default());
                    }
                }
            }));
        }
        Self { notes, listening }
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
        self.notes().silent_redeliveries.iter().filter(|stream| of(stream)).count()
    }

    /// Deliveries that came although nobody had handed back the one before.
    pub(crate) fn again(&self) -> Vec<Again> {
        let notes = self.notes();
        let mut again = Vec::new();
        for message in notes.deliveries.values() {
            for (number, at) in &message.came {
                let Some(came) = number.checked_sub(1).and_then(|before| message.came.get(&before)) else { continue };
                if message.handed_back.contains(&(number - 1)) {
                    continue;
                }
                let last = message.alive.get(&(number - 1)).unwrap_or(came).max(came);
                let after = at.duration_since(*last).unwrap_or_default();
                again.push(Again { what: message.what.clone(), at: *at, after });
            }
        }
        again
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
    fn delivered(&mut self, delivered: Settled, headers: &HeaderMap) {
        let header = |name: &str| headers.get(name).map(ToString::to_string).unwrap_or_default();
        let known = self.deliveries.entry((delivered.stream, delivered.sequence)).or_default();
        known.what = format!("{}#{}", header("Caffeine-Kind"), header("Caffeine-Key"));
        known.came.insert(delivered.delivery, SystemTime::now());
    }

    fn settled(&mut self, settled: Settled, word: &[u8]) {
        let Settled { stream, sequence, delivery } = settled;
        let word = String::from_utf8_lossy(word);
        let known = self.deliveries.entry((stream.clone(), sequence)).or_default();
        if delivery > known.last {
            if delivery > 1 && !known.handed_back.contains(&(delivery - 1)) {
                self.silent_redeliveries.push(stream.clone());
            }
            known.last = delivery;
        }
        if word.starts_with("+WPI") {
            known.alive.insert(delivery, SystemTime::now());
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
