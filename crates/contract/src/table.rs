//! The one table. Everything here is data; the rest of the workspace reads it.

use std::time::Duration;

pub use caffeine_model::Service;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// Largest payload that the broker accepts. Publishers assert it.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// Raw bytes of content in one `files.batch`, cut by object headers. A larger file is skipped.
pub const MAX_BATCH_BYTES: u64 = 768 * KIB;

/// A run with fewer changed files than this goes through the interactive lane.
pub const BULK_FILES: usize = 2_000;

/// The streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Requests to clone.
    Clone,
    /// Files on their way to the chunker.
    Files,
    /// The chunker's requests to itself.
    Link,
    /// Chunks on their way to the embedder.
    Chunks,
    /// What documents wait for.
    Plans,
    /// The doc-writer's requests to itself.
    Pages,
    /// Transitions of runs.
    State,
    /// Progress; may be lost.
    Events,
    /// Commands to every pod.
    Control,
    /// Dead letters: original bytes and why.
    Dead,
}

/// How a stream keeps messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Until acknowledged; a full stream refuses new messages, so nothing is lost and publishers wait.
    WorkQueue,
    /// Until a limit; the oldest goes first.
    Limits,
}

/// A stream's settings. Every field is explicit, so that the provisioner compares and never guesses.
#[derive(Debug, Clone, Copy)]
pub struct StreamSpec {
    /// Which stream.
    pub stream: Stream,
    /// Its name, before the installation's prefix.
    pub name: &'static str,
    /// Subject patterns below `caffeine.v1.`.
    pub subjects: &'static [&'static str],
    /// How messages are kept.
    pub retention: Retention,
    /// Window per subject: back-pressure and fairness between repositories. 0 is no limit.
    pub max_per_subject: i64,
    /// Largest stream in bytes, in the `server` profile.
    pub max_bytes: u64,
    /// Longest life of a message; zero is for ever.
    pub max_age: Duration,
    /// How long message ids are remembered.
    pub dedup_window: Duration,
    /// Kept in memory: for what may be lost.
    pub in_memory: bool,
}

/// The durable consumers; those of two lanes exist twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// cloner on CLONE.
    Cloner,
    /// chunker on FILES.
    Chunker,
    /// chunker on LINK.
    Linker,
    /// embedder on CHUNKS.
    Embedder,
    /// doc-writer on PLANS.
    Planner,
    /// doc-writer on PAGES.
    Writer,
    /// gateway on STATE.
    Projector,
}

/// A consumer's settings.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerSpec {
    /// Which consumer.
    pub consumer: Consumer,
    /// Name of the durable, before the lane's suffix (`-i`, `-b`).
    pub durable: &'static str,
    /// Who binds it.
    pub service: Service,
    /// Where it reads.
    pub stream: Stream,
    /// Whether there is one per lane.
    pub laned: bool,
    /// Jobs at once per pod (and lane): how many messages are pulled at most.
    pub slots: usize,
    /// After this silence the broker delivers to somebody else; progress is sent every third of it. It is how long the
    /// work of a pod that died waits, so it is as short as the usual restart of a broker allows: a longer outage costs
    /// the leases of running jobs, which then begin anew.
    pub ack_wait: Duration,
    /// Longest time for one job, without the time spent waiting for room downstream.
    pub time_limit: Duration,
    /// Failed attempts after which the message is rejected.
    pub attempts: u32,
    /// First delay after a failure; then four times as long each time, up to `max_delay`, each with 25 % jitter.
    pub first_delay: Duration,
    /// Longest delay.
    pub max_delay: Duration,
    /// Messages out at once over all pods.
    pub max_ack_pending: i64,
}

/// How patient consumers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Timings {
    /// The table's times.
    #[default]
    Production,
    /// Seconds instead of minutes, for tests that wait for redelivery.
    Test,
}

impl Timings {
    /// How long work of another version waits for a pod of that version, each time.
    #[must_use]
    pub const fn other_version_delay(self) -> Duration {
        match self {
            Self::Production => secs(5),
            Self::Test => Duration::from_millis(100),
        }
    }
}

impl ConsumerSpec {
    /// The row with the times of a profile.
    #[must_use]
    pub fn timed(&self, timings: Timings) -> Self {
        match timings {
            Timings::Production => *self,
            Timings::Test => Self {
                ack_wait: secs(2),
                time_limit: self.time_limit.min(secs(60)),
                first_delay: Duration::from_millis(100),
                max_delay: secs(1),
                ..*self
            },
        }
    }
}

/// Deliveries that ended without a word, their process having died, after which a message is rejected unrun. From the
/// second delivery on such a message runs alone in its pod, so three of the four were surely its own.
pub const MAX_CRASHES: u32 = 4;

/// How often the reaper sends a message again that the broker will not deliver any more; after that it is rejected
/// unrun.
pub const MAX_REAPED: u32 = 3;

/// Deliveries after which a message of another version has found no pod of that version: every pod that took it handed
/// it back, for [`Timings::other_version_delay`] each time, so about five minutes long. Then its run is over.
pub const OTHER_VERSION_DELIVERIES: u32 = 60;

/// The broker's own last guard. A message that reaches it is delivered to nobody any more and its run never ends, so
/// it is never reached: work that is handed back every second (another version, a database that is away) counts too.
pub const MAX_DELIVER: i64 = 1_000_000;

/// Every message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Start a run.
    CloneRequested,
    /// Test a connection.
    CloneProbe,
    /// Files to analyse.
    FilesBatch,
    /// How many batches the chunker gets.
    FilesListed,
    /// Chunks to embed.
    ChunksBatch,
    /// How many batches the embedder gets.
    ChunksListed,
    /// Link a snapshot.
    LinkRequested,
    /// Write a document.
    DocumentRequested,
    /// A half of what a document waits for.
    DocumentReady,
    /// Write a page.
    PageRequested,
    /// A fact about a run.
    RunTransition,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct MessageSpec {
    /// Which message.
    pub kind: Kind,
    /// `<stage>.<verb>`, as in the subject.
    pub name: &'static str,
    /// The stream that stores it.
    pub stream: Stream,
    /// Its only reader; `None` until a later stage of the system reads it.
    pub reader: Option<Consumer>,
    /// Who publishes it.
    pub writers: &'static [Service],
    /// What tells two messages of this kind apart within a run.
    pub key: &'static str,
}

/// A stream that is no work: everybody who follows it reads all of it, with a consumer of their own.
#[derive(Debug, Clone, Copy)]
pub struct BroadcastSpec {
    /// The stream.
    pub stream: Stream,
    /// Who publishes into it.
    pub writers: &'static [Service],
    /// Who follows it.
    pub followers: &'static [Service],
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn work(
    stream: Stream,
    name: &'static str,
    subjects: &'static [&'static str],
    max_per_subject: i64,
    max_bytes: u64,
    dedup: u64,
) -> StreamSpec {
    StreamSpec {
        stream,
        name,
        subjects,
        retention: Retention::WorkQueue,
        max_per_subject,
        max_bytes,
        max_age: Duration::ZERO,
        dedup_window: secs(dedup),
        in_memory: false,
    }
}

/// All streams.
pub const STREAMS: &[StreamSpec] = &[
    work(Stream::Clone, "CLONE", &["clone.requested.>", "clone.probe.>"], 2, 64 * MIB, 3600),
    work(Stream::Files, "FILES", &["files.batch.>", "files.listed.>"], 64, 8 * GIB, 600),
    work(Stream::Link, "LINK", &["link.requested.>"], 64, 64 * MIB, 3600),
    work(Stream::Chunks, "CHUNKS", &["chunks.batch.>", "chunks.listed.>"], 64, 4 * GIB, 600),
    work(Stream::Plans, "PLANS", &["document.requested.>", "document.ready.>"], 64, 64 * MIB, 3600),
    work(Stream::Pages, "PAGES", &["page.requested.>"], 1024, 512 * MIB, 600),
    work(Stream::State, "STATE", &["state.>"], 1024, 256 * MIB, 600),
    StreamSpec {
        stream: Stream::Events,
        name: "EVENTS",
        subjects: &["event.>"],
        retention: Retention::Limits,
        max_per_subject: 1_000,
        max_bytes: 256 * MIB,
        max_age: secs(24 * 3600),
        dedup_window: Duration::ZERO,
        in_memory: true,
    },
    StreamSpec {
        stream: Stream::Control,
        name: "CONTROL",
        subjects: &["control.>"],
        retention: Retention::Limits,
        max_per_subject: 1,
        max_bytes: 64 * MIB,
        max_age: secs(7 * 24 * 3600),
        dedup_window: secs(120),
        in_memory: false,
    },
    StreamSpec {
        stream: Stream::Dead,
        name: "DEAD",
        subjects: &["dead.>"],
        retention: Retention::Limits,
        max_per_subject: 0,
        max_bytes: 2 * GIB,
        max_age: secs(30 * 24 * 3600),
        dedup_window: secs(24 * 3600),
        in_memory: false,
    },
];

/// All durable consumers.
pub const CONSUMERS: &[ConsumerSpec] = &[
    ConsumerSpec {
        consumer: Consumer::Cloner,
        durable: "cloner",
        service: Service::Cloner,
        stream: Stream::Clone,
        laned: false,
        slots: 2,
        ack_wait: secs(20),
        time_limit: secs(30 * 60),
        attempts: 3,
        first_delay: secs(30),
        max_delay: secs(15 * 60),
        max_ack_pending: 64,
    },
    ConsumerSpec {
        consumer: Consumer::Chunker,
        durable: "chunker",
        service: Service::Chunker,
        stream: Stream::Files,
        laned: true,
        slots: 2,
        ack_wait: secs(20),
        time_limit: secs(5 * 60),
        attempts: 4,
        first_delay: secs(1),
        max_delay: secs(2 * 60),
        max_ack_pending: 512,
    },
    ConsumerSpec {
        consumer: Consumer::Linker,
        durable: "linker",
        service: Service::Chunker,
        stream: Stream::Link,
        // One link of a large repository takes minutes: small ones must not wait for it.
        laned: true,
        slots: 1,
        ack_wait: secs(30),
        time_limit: secs(15 * 60),
        attempts: 3,
        first_delay: secs(5),
        max_delay: secs(5 * 60),
        max_ack_pending: 64,
    },
    ConsumerSpec {
        consumer: Consumer::Embedder,
        durable: "embedder",
        service: Service::Embedder,
        stream: Stream::Chunks,
        laned: true,
        slots: 2,
        ack_wait: secs(20),
        time_limit: secs(10 * 60),
        attempts: 5,
        first_delay: secs(2),
        max_delay: secs(5 * 60),
        max_ack_pending: 256,
    },
    ConsumerSpec {
        consumer: Consumer::Planner,
        durable: "planner",
        service: Service::DocWriter,
        stream: Stream::Plans,
        laned: false,
        slots: 2,
        ack_wait: secs(30),
        time_limit: secs(15 * 60),
        attempts: 3,
        first_delay: secs(15),
        max_delay: secs(15 * 60),
        max_ack_pending: 64,
    },
    ConsumerSpec {
        consumer: Consumer::Writer,
        durable: "writer",
        service: Service::DocWriter,
        stream: Stream::Pages,
        laned: true,
        slots: 4,
        ack_wait: secs(30),
        time_limit: secs(10 * 60),
        attempts: 4,
        first_delay: secs(15),
        max_delay: secs(15 * 60),
        max_ack_pending: 256,
    },
    ConsumerSpec {
        consumer: Consumer::Projector,
        durable: "projector",
        service: Service::Gateway,
        stream: Stream::State,
        laned: false,
        slots: 8,
        ack_wait: secs(30),
        time_limit: secs(60),
        // Transitions are never given up: a projector that cannot write waits for the database.
        attempts: u32::MAX,
        first_delay: secs(1),
        max_delay: secs(30),
        max_ack_pending: 256,
    },
];

/// All work messages. Events and control commands are not work and have no row.
pub const MESSAGES: &[MessageSpec] = &[
    MessageSpec {
        kind: Kind::CloneRequested,
        name: "clone.requested",
        stream: Stream::Clone,
        reader: Some(Consumer::Cloner),
        writers: &[Service::Gateway],
        key: "",
    },
    MessageSpec {
        kind: Kind::CloneProbe,
        name: "clone.probe",
        stream: Stream::Clone,
        reader: Some(Consumer::Cloner),
        writers: &[Service::Gateway],
        key: "probe",
    },
    MessageSpec {
        kind: Kind::FilesBatch,
        name: "files.batch",
        stream: Stream::Files,
        reader: Some(Consumer::Chunker),
        writers: &[Service::Cloner],
        key: "batch",
    },
    MessageSpec {
        kind: Kind::FilesListed,
        name: "files.listed",
        stream: Stream::Files,
        reader: Some(Consumer::Chunker),
        writers: &[Service::Cloner],
        key: "",
    },
    MessageSpec {
        kind: Kind::LinkRequested,
        name: "link.requested",
        stream: Stream::Link,
        reader: Some(Consumer::Linker),
        writers: &[Service::Chunker],
        key: "",
    },
    MessageSpec {
        kind: Kind::ChunksBatch,
        name: "chunks.batch",
        stream: Stream::Chunks,
        reader: Some(Consumer::Embedder),
        writers: &[Service::Chunker],
        key: "batch",
    },
    MessageSpec {
        kind: Kind::ChunksListed,
        name: "chunks.listed",
        stream: Stream::Chunks,
        reader: Some(Consumer::Embedder),
        writers: &[Service::Cloner],
        key: "",
    },
    MessageSpec {
        kind: Kind::DocumentRequested,
        name: "document.requested",
        stream: Stream::Plans,
        reader: Some(Consumer::Planner),
        writers: &[Service::Gateway],
        key: "document",
    },
    MessageSpec {
        kind: Kind::DocumentReady,
        name: "document.ready",
        stream: Stream::Plans,
        reader: Some(Consumer::Planner),
        writers: &[Service::Chunker, Service::Embedder],
        key: "phase",
    },
    MessageSpec {
        kind: Kind::PageRequested,
        name: "page.requested",
        stream: Stream::Pages,
        reader: Some(Consumer::Writer),
        writers: &[Service::DocWriter],
        key: "document/page",
    },
    MessageSpec {
        kind: Kind::RunTransition,
        name: "state",
        stream: Stream::State,
        reader: Some(Consumer::Projector),
        writers: &[Service::Cloner, Service::Chunker, Service::Embedder, Service::DocWriter, Service::Housekeeper],
        key: "transition",
    },
];

/// Progress and commands. Dead letters have no row: a consumer's service writes those of its own stage.
pub const BROADCASTS: &[BroadcastSpec] = &[
    BroadcastSpec {
        stream: Stream::Events,
        writers: &[Service::Gateway, Service::Cloner, Service::Chunker, Service::Embedder, Service::DocWriter],
        followers: &[Service::Gateway],
    },
    BroadcastSpec {
        stream: Stream::Control,
        writers: &[Service::Gateway, Service::Housekeeper],
        followers: &Service::ALL,
    },
];

impl Kind {
    /// The message's row.
    #[must_use]
    pub fn spec(self) -> &'static MessageSpec {
        MESSAGES.iter().find(|row| row.kind == self).expect("every kind has a row; the unit test walks them")
    }

    /// Finds the kind by its name (`files.batch`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        MESSAGES.iter().find(|row| row.name == name).map(|row| row.kind)
    }
}

impl Stream {
    /// The stream's row.
    #[must_use]
    pub fn spec(self) -> &'static StreamSpec {
        STREAMS.iter().find(|row| row.stream == self).expect("every stream has a row; the unit test walks them")
    }
}

impl Consumer {
    /// The consumer's row.
    #[must_use]
    pub fn spec(self) -> &'static ConsumerSpec {
        CONSUMERS.iter().find(|row| row.consumer == self).expect("every consumer has a row; the unit test walks them")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CONSUMERS, MAX_DELIVER, MESSAGES, Retention, STREAMS};

    #[test]
    fn work_that_is_handed_back_every_second_outlives_a_week() {
        let handed_back = super::secs(1) * u32::try_from(MAX_DELIVER).unwrap();
        assert!(handed_back >= super::secs(7 * 24 * 3600));
    }

    #[test]
    fn every_reference_has_a_row() {
        for message in MESSAGES {
            assert_eq!(message.kind.spec().name, message.name);
            let stream = message.stream.spec();
            assert_eq!(stream.retention, Retention::WorkQueue, "{} is work", message.name);
            let pattern = format!("{}.>", message.name);
            assert!(stream.subjects.contains(&pattern.as_str()), "{} is stored by {}", message.name, stream.name);
            if let Some(reader) = message.reader {
                assert_eq!(reader.spec().stream, message.stream, "{} is read where it is stored", message.name);
            }
        }
        for consumer in CONSUMERS {
            assert_eq!(consumer.consumer.spec().durable, consumer.durable);
            assert_eq!(consumer.stream.spec().stream, consumer.stream);
        }
    }

    #[test]
    fn one_reader_per_work_queue() {
        let mut streams = BTreeSet::new();
        for consumer in CONSUMERS {
            assert!(streams.insert(consumer.stream), "{} has a second reader", consumer.stream.spec().name);
        }
        for stream in STREAMS.iter().filter(|stream| stream.retention == Retention::WorkQueue) {
            assert!(streams.contains(&stream.stream), "nobody reads {}", stream.name);
        }
    }
}
