use std::sync::Arc;

use async_nats::HeaderMap;
use caffeine_bus::{Prior, PublishError};
use caffeine_contract::{Kind, Stream, headers, v1};
use caffeine_testkit::eventually;
use prost::Message as _;
use tokio::sync::Barrier;

use crate::fixture::{Fixture, SOON, Script, output, quick};

#[tokio::test]
async fn each_message_is_handled_once_and_leaves_the_stream() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(20).await;
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 20);
    assert!(handler.calls().iter().all(|call| call.attempts == 0 && !call.repeat));
    let mut ids: Vec<String> =
        fixture.contents(Stream::Chunks).await.iter().map(|message| message.header(headers::KEY).to_owned()).collect();
    ids.sort_by_key(|key| key.parse::<u32>().unwrap());
    assert_eq!(ids, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn delivered_twice_publishes_the_same_ids() {
    let fixture = Fixture::new().await;
    let sent = fixture.batch(5);
    fixture.bus.try_publish(&sent).await.unwrap();
    // The same message again, as after the deduplication window: stored a second time.
    let stored = fixture.contents(Stream::Files).await.remove(0);
    let mut again = stored.headers.clone();
    again.insert(headers::MESSAGE_ID, "another");
    let subject = fixture.subjects().work(Kind::FilesBatch, &fixture.scope);
    fixture.broker.jetstream().publish_with_headers(subject, again, stored.payload).await.unwrap().await.unwrap();
    assert_eq!(fixture.count(Stream::Files).await, 2);

    let inbox = Arc::clone(&fixture.inbox);
    let handler = Script::new(move |seen, _| {
        inbox.priors.lock().unwrap().insert(seen.work, Prior { done: true, ..Prior::default() });
        async move { Ok(vec![output(&seen.scope, seen.batch)]) }
    });
    let mut one_slot = quick();
    one_slot.slots = 1;
    let worker = fixture.start(one_slot, &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    let repeats: Vec<bool> = handler.calls().iter().map(|call| call.repeat).collect();
    assert_eq!(repeats, [false, true]);
    let outputs = fixture.contents(Stream::Chunks).await;
    assert_eq!(outputs.len(), 1, "the second output has the id of the first");
    let expected = output(&fixture.scope, 5);
    assert_eq!(outputs[0].header(headers::MESSAGE_ID), expected.message_id().to_string());
    assert_eq!(outputs[0].payload, expected.body);
}

#[tokio::test]
async fn an_undecodable_body_dies_and_its_neighbours_live() {
    let fixture = Fixture::new().await;
    let subject = fixture.subjects().work(Kind::FilesBatch, &fixture.scope);
    fixture.bus.try_publish(&fixture.batch(0)).await.unwrap();
    let mut marks = fixture.contents(Stream::Files).await.remove(0).headers;
    marks.insert(headers::MESSAGE_ID, "broken");
    marks.insert(headers::KEY, "1");
    fixture.publish_raw(subject.clone(), marks, b"\xff\xffnot protobuf").await;
    fixture.publish_raw(subject, HeaderMap::new(), b"\xff\xffanonymous").await;
    fixture.bus.try_publish(&fixture.batch(2)).await.unwrap();

    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;

    let mut handled: Vec<String> = handler.calls().iter().map(|call| call.key.clone()).collect();
    handled.sort();
    assert_eq!(handled, ["0", "2"]);
    let rejections = handler.rejections.lock().unwrap().clone();
    assert_eq!(rejections.len(), 1, "nobody can be asked about the anonymous one");
    let (key, rejection, had_message) = &rejections[0];
    assert_eq!((key.as_str(), rejection.code.as_str(), *had_message), ("1", "undecodable", false));

    let mut dead = fixture.contents(Stream::Dead).await;
    dead.sort_by_key(|letter| letter.header(headers::DEAD_SEQUENCE).to_owned());
    let bodies: Vec<&[u8]> = dead.iter().map(|letter| letter.payload.as_ref()).collect();
    assert_eq!(bodies, [b"\xff\xffnot protobuf".as_slice(), b"\xff\xffanonymous".as_slice()]);
    assert_eq!(dead[0].header(headers::RUN), fixture.scope.run.to_string(), "the original's headers are kept");
    assert!(dead.iter().all(|letter| letter.header(headers::DEAD_CODE) == "undecodable"));
    // What the stage owed for batch 1 arrived, marked failed.
    let owed = fixture.contents(Stream::Chunks).await;
    let owed = owed.iter().find(|message| message.header(headers::KEY) == "1").unwrap();
    let owed = v1::ChunksBatch::decode(owed.payload.clone()).unwrap();
    assert_eq!(owed.failure.unwrap().code, "undecodable");
}

#[tokio::test]
async fn a_good_body_makes_up_for_missing_headers() {
    let fixture = Fixture::new().await;
    let subject = fixture.subjects().work(Kind::FilesBatch, &fixture.scope);
    let body = fixture.batch(3).body;
    fixture.broker.jetstream().publish(subject, body).await.unwrap().await.unwrap();
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls()[0].key, "3");
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn two_workers_share_the_work() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(30).await;
    // Nobody gets on before both have something.
    let both = Arc::new(Barrier::new(2));
    let handlers: Vec<Arc<Script>> = (0..2)
        .map(|_| {
            let both = Arc::clone(&both);
            Script::new(move |seen, call| {
                let both = Arc::clone(&both);
                async move {
                    if call == 0 {
                        both.wait().await;
                    }
                    Ok(vec![output(&seen.scope, seen.batch)])
                }
            })
        })
        .collect();
    let mut one_slot = quick();
    one_slot.slots = 1;
    let first = fixture.start(one_slot, &handlers[0]);
    let second = fixture.start_on(fixture.another_bus("second").await, one_slot, &handlers[1]);
    fixture.wait_for(Stream::Files, 0).await;
    first.stop().await;
    second.stop().await;
    let mut keys: Vec<u32> =
        handlers.iter().flat_map(|handler| handler.calls()).map(|call| call.key.parse().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn never_more_at_once_than_slots() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(10).await;
    let handler = Script::new(|seen, _| async move {
        seen.cancelled.cancelled().await;
        Ok(Vec::new())
    });
    let worker = fixture.start(quick(), &handler);
    let slots = quick().slots;
    eventually(SOON, || async { handler.calls().len() == slots }).await;
    let found: async_nats::jetstream::consumer::PullConsumer =
        fixture.broker.jetstream().get_consumer_from_stream("chunker-i", fixture.stream(Stream::Files)).await.unwrap();
    assert_eq!(found.cached_info().num_ack_pending, slots, "nothing is pulled ahead");
    drop(worker);
}

#[tokio::test]
async fn publishing_without_waiting_tells_full_from_too_large() {
    let fixture = Fixture::new().await;
    // The window of CLONE is two per repository.
    let request = |number: u8| {
        let probe_id = bytes::Bytes::copy_from_slice(&[number; 16]);
        caffeine_bus::Outgoing::new(&fixture.scope, v1::CloneProbe { probe_id, ..v1::CloneProbe::default() })
    };
    fixture.bus.try_publish(&request(1)).await.unwrap();
    fixture.bus.try_publish(&request(2)).await.unwrap();
    assert!(matches!(fixture.bus.try_publish(&request(3)).await, Err(PublishError::Full { .. })));
    fixture.bus.try_publish(&request(2)).await.expect("a repeat of what is stored is no news");
    let mut huge = fixture.batch(1);
    huge.body = vec![0; 2 * 1024 * 1024].into();
    assert!(matches!(fixture.bus.try_publish(&huge).await, Err(PublishError::TooLarge { .. })));
}
