//! Creates and updates streams and consumers from the contract: the only code that may.
//!
//! It compares first and changes only what differs: an update on a cluster can disturb messages that wait for a
//! repeat, so a start of the system must not cause one.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::stream::{self, Compression, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use caffeine_contract::table::{CONSUMERS, MAX_DELIVER, MAX_PAYLOAD, Retention, STREAMS};
use caffeine_contract::{ConsumerSpec, Service, StreamSpec, Subjects};
use caffeine_model::Lane;
use futures::TryStreamExt as _;

use crate::{Bus, BusError};

const MIB: u64 = 1024 * 1024;
/// Pull requests that may wait on a consumer: slots of all pods.
const MAX_WAITING: i64 = 512;
/// The broker has no "never": the shortest it makes of zero.
const DEFAULT_DEDUP: Duration = Duration::from_secs(120);
/// The longest a question to the broker takes unless a permission is missing, which looks like silence.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How much disk the streams may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageProfile {
    /// A laptop or a test: about 1 GiB in all.
    Embedded,
    /// One server: the table's sizes.
    Server,
    /// Three servers: the table's sizes, three replicas.
    Cluster,
}

impl StorageProfile {
    fn max_bytes(self, spec: &StreamSpec) -> u64 {
        match self {
            // The broker reserves what is promised, so a laptop promises a sixteenth.
            Self::Embedded => (spec.max_bytes / 16).max(16 * MIB),
            Self::Server | Self::Cluster => spec.max_bytes,
        }
    }

    fn replicas(self) -> usize {
        match self {
            Self::Embedded | Self::Server => 1,
            Self::Cluster => 3,
        }
    }
}

/// What the provisioner did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvisionReport {
    /// Names of what was made.
    pub created: Vec<String>,
    /// Names of what was changed.
    pub updated: Vec<String>,
    /// Names of consumers that an earlier version had.
    pub removed: Vec<String>,
    /// How many were right already.
    pub unchanged: usize,
}

/// A stream whose retention differs cannot be changed without losing messages.
#[derive(Debug, thiserror::Error)]
#[error("its retention is {found:?}, the contract says {wanted:?}; changing it would lose messages")]
struct OtherRetention {
    found: RetentionPolicy,
    wanted: RetentionPolicy,
}

/// Compares every stream and consumer with the contract and creates or updates what differs.
///
/// # Errors
/// If the broker refuses, or if a change would need another retention (which loses messages).
pub async fn provision(bus: &Bus, profile: StorageProfile) -> Result<ProvisionReport, BusError> {
    let mut report = ProvisionReport::default();
    for spec in STREAMS {
        provision_stream(bus, spec, profile, &mut report).await?;
    }
    remove_strangers(bus, &mut report).await?;
    for spec in CONSUMERS {
        let spec = spec.timed(bus.timings);
        for lane in lanes(&spec) {
            provision_consumer(bus, &spec, *lane, profile, &mut report).await?;
        }
    }
    Ok(report)
}

/// Asks whether everything in the contract is there.
///
/// # Errors
/// [`BusError::Missing`] with the names of all that is missing.
pub async fn verify(bus: &Bus) -> Result<(), BusError> {
    let mut missing = Vec::new();
    for spec in STREAMS {
        let name = bus.subjects.stream(spec.stream);
        if stream_config(bus, &name).await?.is_none() {
            missing.push(format!("the stream {name}"));
        }
    }
    for spec in CONSUMERS {
        find_missing(bus, spec, &mut missing).await?;
    }
    conclude(missing)
}

/// Asks whether the consumers of one service are there. Needs no right but that to ask for them.
///
/// # Errors
/// [`BusError::Missing`] with the names of all that is missing.
pub async fn verify_service(bus: &Bus, service: Service) -> Result<(), BusError> {
    let mut missing = Vec::new();
    for spec in CONSUMERS.iter().filter(|spec| spec.service == service) {
        find_missing(bus, spec, &mut missing).await?;
    }
    conclude(missing)
}

fn conclude(missing: Vec<String>) -> Result<(), BusError> {
    if missing.is_empty() { Ok(()) } else { Err(BusError::Missing { what: missing.join(", ") }) }
}

/// Adds the names of a consumer's durables that do not exist.
pub(crate) async fn find_missing(bus: &Bus, spec: &ConsumerSpec, missing: &mut Vec<String>) -> Result<(), BusError> {
    let stream = bus.subjects.stream(spec.stream);
    for lane in lanes(spec) {
        let durable = Subjects::durable(spec, *lane);
        if consumer_config(bus, &stream, &durable).await?.is_none() {
            missing.push(format!("the consumer {durable} on {stream}"));
        }
    }
    Ok(())
}

/// The lanes in which a consumer exists.
pub(crate) fn lanes(spec: &ConsumerSpec) -> &'static [Lane] {
    if spec.laned { &Lane::ALL } else { &Lane::ALL[..1] }
}

async fn provision_stream(
    bus: &Bus,
    spec: &StreamSpec,
    profile: StorageProfile,
    report: &mut ProvisionReport,
) -> Result<(), BusError> {
    let name = bus.subjects.stream(spec.stream);
    let Some(found) = stream_config(bus, &name).await? else {
        let mut config = stream::Config::default();
        describe_stream(&mut config, bus, spec, profile);
        bus.jetstream
            .create_stream(config)
            .await
            .map_err(|error| BusError::broker(format!("create the stream {name}"), error))?;
        report.created.push(name);
        return Ok(());
    };
    // What the contract does not speak of (the broker's own metadata) stays as it is.
    let mut wanted = found.clone();
    describe_stream(&mut wanted, bus, spec, profile);
    if wanted.retention != found.retention {
        let refusal = OtherRetention { found: found.retention, wanted: wanted.retention };
        return Err(BusError::broker(format!("update the stream {name}"), refusal));
    }
    if wanted == found {
        report.unchanged += 1;
        return Ok(());
    }
    bus.jetstream
        .update_stream(wanted)
        .await
        .map_err(|error| BusError::broker(format!("update the stream {name}"), error))?;
    report.updated.push(name);
    Ok(())
}

/// Every field that the contract decides, explicitly.
fn describe_stream(config: &mut stream::Config, bus: &Bus, spec: &StreamSpec, profile: StorageProfile) {
    config.name = bus.subjects.stream(spec.stream);
    config.subjects = bus.subjects.stored(spec);
    config.max_bytes = i64::try_from(profile.max_bytes(spec)).unwrap_or(i64::MAX);
    config.max_messages = -1;
    config.max_messages_per_subject = if spec.max_per_subject == 0 { -1 } else { spec.max_per_subject };
    config.max_age = spec.max_age;
    config.max_consumers = -1;
    config.max_message_size = i32::try_from(MAX_PAYLOAD).unwrap_or(i32::MAX);
    config.storage = if spec.in_memory { StorageType::Memory } else { StorageType::File };
    config.num_replicas = profile.replicas();
    config.duplicate_window = if spec.dedup_window.is_zero() { DEFAULT_DEDUP } else { spec.dedup_window };
    config.no_ack = false;
    config.sealed = false;
    config.allow_rollup = false;
    config.deny_delete = false;
    config.deny_purge = false;
    config.allow_direct = false;
    config.compression = Some(Compression::None);
    match spec.retention {
        Retention::WorkQueue => {
            config.retention = RetentionPolicy::WorkQueue;
            config.discard = DiscardPolicy::New;
            config.discard_new_per_subject = spec.max_per_subject > 0;
        }
        Retention::Limits => {
            config.retention = RetentionPolicy::Limits;
            config.discard = DiscardPolicy::Old;
            config.discard_new_per_subject = false;
        }
    }
}

/// Removes the durables of work queues that the contract does not know (any more): a work queue refuses a second reader
/// of the same subjects, so those of an earlier version would keep the new ones from being made. Their messages stay.
async fn remove_strangers(bus: &Bus, report: &mut ProvisionReport) -> Result<(), BusError> {
    for spec in STREAMS.iter().filter(|spec| spec.retention == Retention::WorkQueue) {
        let name = bus.subjects.stream(spec.stream);
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            BusError::broker(format!("compare the consumers of {name}"), source)
        };
        let known: Vec<String> = CONSUMERS
            .iter()
            .filter(|consumer| consumer.stream == spec.stream)
            .flat_map(|consumer| lanes(consumer).iter().map(|lane| Subjects::durable(consumer, *lane)))
            .collect();
        let stream = bus.jetstream.get_stream_no_info(&name).await.map_err(|error| failed(error.into()))?;
        let found: Vec<String> = stream.consumer_names().try_collect().await.map_err(|error| failed(error.into()))?;
        for stranger in found.iter().filter(|found| !known.contains(found)) {
            stream.delete_consumer(stranger).await.map_err(|error| failed(error.into()))?;
            report.removed.push(format!("{name}/{stranger}"));
        }
    }
    Ok(())
}

async fn provision_consumer(
    bus: &Bus,
    spec: &ConsumerSpec,
    lane: Lane,
    profile: StorageProfile,
    report: &mut ProvisionReport,
) -> Result<(), BusError> {
    let stream = bus.subjects.stream(spec.stream);
    let durable = Subjects::durable(spec, lane);
    let name = format!("{stream}/{durable}");
    let Some(found) = consumer_config(bus, &stream, &durable).await? else {
        let mut config = consumer::Config::default();
        describe_consumer(&mut config, bus, spec, lane, profile);
        bus.jetstream
            .create_consumer_strict_on_stream(config, stream)
            .await
            .map_err(|error| BusError::broker(format!("create the consumer {name}"), error))?;
        report.created.push(name);
        return Ok(());
    };
    let mut wanted = found.clone();
    describe_consumer(&mut wanted, bus, spec, lane, profile);
    if wanted == found {
        report.unchanged += 1;
        return Ok(());
    }
    bus.jetstream
        .update_consumer_on_stream(wanted, stream)
        .await
        .map_err(|error| BusError::broker(format!("update the consumer {name}"), error))?;
    report.updated.push(name);
    Ok(())
}

/// Every field that the contract decides, explicitly. No `backoff`: it would replace `ack_wait`, and the bus computes
/// its own delays.
fn describe_consumer(
    config: &mut consumer::Config,
    bus: &Bus,
    spec: &ConsumerSpec,
    lane: Lane,
    profile: StorageProfile,
) {
    let durable = Subjects::durable(spec, lane);
    config.durable_name = Some(durable.clone());
    config.name = Some(durable);
    config.deliver_policy = DeliverPolicy::All;
    config.ack_policy = AckPolicy::Explicit;
    config.replay_policy = ReplayPolicy::Instant;
    config.ack_wait = spec.ack_wait;
    config.max_deliver = MAX_DELIVER;
    config.max_ack_pending = spec.max_ack_pending;
    config.max_waiting = MAX_WAITING;
    config.num_replicas = profile.replicas();
    config.memory_storage = false;
    config.headers_only = false;
    config.backoff = Vec::new();
    // The broker keeps a single filter in the field made for one.
    let mut filters = bus.subjects.filters(spec, lane);
    if filters.len() == 1 {
        config.filter_subject = filters.remove(0);
        config.filter_subjects = Vec::new();
    } else {
        config.filter_subject = String::new();
        config.filter_subjects = filters;
    }
}

async fn stream_config(bus: &Bus, name: &str) -> Result<Option<stream::Config>, BusError> {
    use jetstream::context::GetStreamErrorKind;
    let action = || format!("ask for the stream {name} ($JS.API.STREAM.INFO.{name})");
    let answer = tokio::time::timeout(ANSWER_WITHIN, bus.jetstream.get_stream(name))
        .await
        .map_err(|silence| BusError::broker(action(), silence))?;
    match answer {
        Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(code) if code.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(BusError::broker(action(), error)),
        },
    }
}

async fn consumer_config(bus: &Bus, stream: &str, durable: &str) -> Result<Option<consumer::Config>, BusError> {
    let action = || format!("ask for the consumer {durable} ($JS.API.CONSUMER.INFO.{stream}.{durable})");
    let asked = bus.jetstream.get_consumer_from_stream::<consumer::Config, _, _>(durable, stream);
    let answer =
        tokio::time::timeout(ANSWER_WITHIN, asked).await.map_err(|silence| BusError::broker(action(), silence))?;
    match answer {
        Ok(consumer) => Ok(Some(consumer.cached_info().config.clone())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(BusError::broker(action(), error)),
    }
}

/// Whether the broker says that consumer or stream do not exist.
fn is_missing(error: &jetstream::stream::ConsumerError) -> bool {
    use jetstream::stream::ConsumerErrorKind;
    matches!(error.kind(), ConsumerErrorKind::JetStream(code)
        if [ErrorCode::STREAM_NOT_FOUND, ErrorCode::CONSUMER_NOT_FOUND].contains(&code.error_code()))
}
