//! What the broker and its client do that one would not expect, shown on the real ones: each test names what the bus
//! does instead. `docs/decisions/messaging-traps.md` has the whole list.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream as BrokerStream};
use async_nats::jetstream::{self, AckKind, Message};
use caffeine_bus::{StorageProfile, provision};
use caffeine_contract::table::{CONSUMERS, MAX_DELIVER, Retention, STREAMS};
use caffeine_contract::{Consumer, Kind, Stream, Subjects, headers};
use caffeine_model::Lane;
use caffeine_testkit::eventually;
use futures::StreamExt as _;

use crate::fixture::{Fixture, SOON, Script, output, quick};

const ACK_WAIT: Duration = Duration::from_secs(1);
/// "Cannot store": the broker's answer to a full window or stream.
const STORE_FAILED: u64 = 10_077;

type Durable = jetstream::consumer::Consumer<pull::Config>;

async fn durable(fixture: &Fixture) -> Durable {
    let name = Subjects::durable(Consumer::Chunker.spec(), Lane::Interactive);
    fixture.broker.jetstream().get_consumer_from_stream(name, fixture.stream(Stream::Files)).await.unwrap()
}

/// Takes one message past the bus.
async fn take(durable: &Durable) -> Message {
    let mut batch = durable.fetch().max_messages(1).expires(SOON).messages().await.unwrap();
    batch.next().await.unwrap().unwrap()
}

async fn files(fixture: &Fixture) -> BrokerStream {
    fixture.broker.jetstream().get_stream(fixture.stream(Stream::Files)).await.unwrap()
}

/// Any answer counts as a confirmation, so nothing here is built on one: whether work was done is a row's word.
#[tokio::test]
async fn a_confirmed_acknowledgement_proves_little() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(2).await;
    let durable = durable(&fixture).await;
    let (purged, orphaned) = (take(&durable).await, take(&durable).await);
    let sequence = purged.info().unwrap().stream_sequence;
    files(&fixture).await.delete_message(sequence).await.unwrap();
    purged.double_ack().await.expect("a message that is gone is acknowledged");

    files(&fixture).await.delete_consumer("chunker-i").await.unwrap();
    orphaned.double_ack().await.expect("so is one whose consumer is gone");
    assert_eq!(fixture.count(Stream::Files).await, 1, "and the message stays");
}

/// Acknowledgements are keyed by stream sequence. The bus fences them with a lease: see
/// `lease::a_lost_lease_settles_nothing`.
#[tokio::test]
async fn a_late_acknowledgement_hits_the_delivery_of_another_worker() {
    let fixture = Fixture::new().await;
    fixture.set_ack_wait(Consumer::Chunker, ACK_WAIT).await;
    fixture.publish_batches(2).await;
    let durable = durable(&fixture).await;
    let late = [take(&durable).await, take(&durable).await];
    // Both have been given to somebody else by then.
    let theirs = [take(&durable).await, take(&durable).await];
    assert!(theirs.iter().all(|message| message.info().unwrap().delivered == 2));

    late[0].double_ack().await.unwrap();
    assert_eq!(fixture.count(Stream::Files).await, 1, "the other worker's message is removed under its hands");
    late[1].ack_with(AckKind::Nak(None)).await.unwrap();
    let third = take(&durable).await;
    assert_eq!(third.info().unwrap().delivered, 3, "and the other one is delivered while it is being worked on");
}

/// A refused publish leaves no trace in the window of identifiers, and a known one is answered whatever is full: so a
/// publisher repeats with the same id until it is stored.
#[tokio::test]
async fn a_full_window_refuses_what_is_new_and_answers_what_it_knows() {
    let fixture = Fixture::new().await;
    let window = u32::try_from(Stream::Files.spec().max_per_subject).unwrap();
    fixture.publish_batches(window).await;
    let context = fixture.broker.jetstream();
    let subject = fixture.subjects().work(Kind::FilesBatch, &fixture.scope);
    let publish = async |number: u32| {
        let mut map = HeaderMap::new();
        map.insert(headers::MESSAGE_ID, fixture.batch(number).message_id().to_string());
        context.publish_with_headers(subject.clone(), map, "x".into()).await.unwrap().await
    };
    assert!(publish(0).await.unwrap().duplicate, "a known one");
    assert_eq!(code_of(&publish(window).await.unwrap_err()), Some(STORE_FAILED));
    take(&durable(&fixture).await).await.double_ack().await.unwrap();
    let stored = publish(window).await.unwrap();
    assert!(!stored.duplicate, "the refused one was never known");
    assert_eq!(fixture.count(Stream::Files).await, u64::from(window));
}

/// The client has no kind of error for a full stream: its code stands in the source. `PublishError::classify` reads it.
fn code_of(error: &jetstream::context::PublishError) -> Option<u64> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<jetstream::Error>().map(|error| error.error_code().0)
}

/// nats-server#4771 and #4247 lost acknowledged messages in streams that discard new ones. Both flags are set, and
/// every acknowledgement is awaited.
#[tokio::test]
async fn hundreds_at_once_into_a_small_stream_are_stored_or_refused() {
    const ROOM: usize = 60;
    const SENT: usize = 500;
    let fixture = Fixture::unprovisioned().await;
    let context = fixture.broker.jetstream();
    let subject = format!("{}.x", fixture.broker.prefix());
    let whole = Config { max_messages: ROOM as i64, ..Config::default() };
    let per_subject =
        Config { max_messages_per_subject: ROOM as i64, discard_new_per_subject: true, ..Config::default() };
    for limits in [whole, per_subject] {
        let config = Config {
            name: format!("{}_X", fixture.broker.prefix()),
            subjects: vec![subject.clone()],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            ..limits
        };
        let stream = context.create_stream(config).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..SENT {
            waiting.push(context.publish(subject.clone(), vec![0; 512].into()).await.unwrap());
        }
        let (mut stored, mut refused) = (0, 0);
        for acknowledgement in waiting {
            match acknowledgement.await {
                Ok(_) => stored += 1,
                Err(error) => {
                    assert_eq!(code_of(&error), Some(STORE_FAILED), "{error}");
                    refused += 1;
                }
            }
        }
        assert_eq!((stored, refused), (ROOM, SENT - ROOM));
        assert_eq!(stream.get_info().await.unwrap().state.messages, ROOM as u64);
        context.delete_stream(format!("{}_X", fixture.broker.prefix())).await.unwrap();
    }
}

/// Identifiers are forgotten after the window, so a replay is stored again: it is handled as a repeat and publishes
/// what it published before.
#[tokio::test]
async fn a_replay_after_the_window_is_stored_again_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let found = files(&fixture).await.cached_info().config.clone();
    let short = Config { duplicate_window: Duration::from_millis(100), ..found };
    fixture.broker.jetstream().update_stream(short).await.unwrap();
    fixture.publish_batches(3).await;
    // Repeated until the broker has forgotten all of them.
    eventually(SOON, || async {
        for number in 0..3 {
            fixture.bus.try_publish(&fixture.batch(number)).await.unwrap();
        }
        fixture.count(Stream::Files).await >= 6
    })
    .await;
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert!(handler.calls().len() >= 6);
    let mut ids: Vec<String> = fixture
        .contents(Stream::Chunks)
        .await
        .iter()
        .map(|message| message.header(headers::MESSAGE_ID).to_owned())
        .collect();
    let mut expected: Vec<String> =
        (0..3).map(|number| output(&fixture.scope, number).message_id().to_string()).collect();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected, "each output is there once");
}

/// A consumer that somebody deletes is asked for again until the provisioner has made it anew; a client's own stream
/// of messages would have ended.
#[tokio::test]
async fn a_deleted_consumer_is_read_again_once_it_is_back() {
    let fixture = Fixture::new().await;
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.publish_batches(1).await;
    fixture.wait_for(Stream::Files, 0).await;
    files(&fixture).await.delete_consumer("chunker-i").await.unwrap();
    fixture.bus.try_publish(&fixture.batch(1)).await.unwrap();
    provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 2);
}

/// Two readers of one subject are refused by the broker, so a message with two readers is two messages.
#[tokio::test]
async fn a_work_queue_has_one_reader_per_subject() {
    let fixture = Fixture::new().await;
    let second = pull::Config {
        durable_name: Some("second".to_owned()),
        filter_subject: fixture.subjects().filters(Consumer::Chunker.spec(), Lane::Interactive).remove(0),
        ..pull::Config::default()
    };
    files(&fixture).await.create_consumer(second).await.expect_err("the filters overlap");
}

/// The settings that keep out what the tests above and the list describe, as the broker has them.
#[tokio::test]
async fn streams_and_consumers_are_set_against_the_traps() {
    let fixture = Fixture::new().await;
    for spec in STREAMS {
        let name = fixture.stream(spec.stream);
        let config = fixture.broker.jetstream().get_stream(&name).await.unwrap().cached_info().config.clone();
        if spec.retention == Retention::WorkQueue {
            // Discarding old messages would delete work that nobody has done.
            assert_eq!((config.retention, config.discard), (RetentionPolicy::WorkQueue, DiscardPolicy::New), "{name}");
            assert_eq!(config.discard_new_per_subject, config.max_messages_per_subject > 0, "{name}");
            // A time to live would drop work.
            assert_eq!((config.max_age, config.allow_message_ttl), (Duration::ZERO, false), "{name}");
        }
        // Without a limit a promise cannot be kept; the broker reserves this much.
        assert!(config.max_bytes > 0 && !config.allow_message_schedules && !config.allow_message_counter, "{name}");
    }
    for spec in CONSUMERS {
        for lane in Lane::ALL {
            let (stream, durable) = (fixture.stream(spec.stream), Subjects::durable(spec, lane));
            let found: Durable = fixture.broker.jetstream().get_consumer_from_stream(&durable, &stream).await.unwrap();
            let config = &found.cached_info().config;
            // It would replace the ack wait, and a plain hand-back would ignore it.
            assert!(config.backoff.is_empty(), "{durable}");
            assert_eq!((config.ack_wait, config.max_deliver), (spec.ack_wait, MAX_DELIVER), "{durable}");
            // A message that waits for its repeat keeps its place.
            assert!(usize::try_from(config.max_ack_pending).unwrap() >= 8 * spec.slots, "{durable}");
            assert!(config.priority_groups.is_empty() && config.inactive_threshold.is_zero(), "{durable}");
        }
    }
}
