//! What may not stop the system: duplicates and messages that nobody can read.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::eventually;
use futures::StreamExt as _;

use crate::fixture;

/// Copies everything that is published on the prefix, without its deduplication id, back onto the bus: each message
/// is delivered twice.
async fn double_everything(stack: &Stack) -> tokio::task::JoinHandle<u32> {
    let client = stack.bus.client().clone();
    let mut published =
        client.subscribe(format!("{}.caffeine.v1.>", stack.bus.prefix())).await.expect("subscribe to the prefix");
    client.flush().await.expect("the subscription is active");
    tokio::spawn(async move {
        let mut copies = 0;
        while let Some(message) = published.next().await {
            let mut headers = message.headers.clone().unwrap_or_default();
            let is_work = headers.get("Nats-Msg-Id").is_some() && !message.subject.contains(".dead.");
            if !is_work || headers.get("Test-Copy").is_some() {
                continue;
            }
            let mut copy = async_nats::HeaderMap::new();
            for (name, values) in headers.iter().filter(|(name, _)| name.to_string() != "Nats-Msg-Id") {
                for value in values {
                    copy.append(name.clone(), value.clone());
                }
            }
            copy.insert("Test-Copy", "1");
            headers = copy;
            if client.publish_with_headers(message.subject, headers, message.payload).await.is_ok() {
                copies += 1;
            }
        }
        copies
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_twice() {
    let repository = fixture::repository();
    let served = repository.serve().await;
    let undisturbed = Stack::start(StackOptions::with_host(served.host())).await;
    let run = undisturbed.api.submit(&served.url()).await;
    assert_eq!(undisturbed.ended(run, Duration::from_secs(120)).await, "completed");
    let expected = undisturbed.dump(run).await;
    drop(undisturbed);

    let stack = Stack::start(StackOptions::with_host(served.host())).await;
    let copier = double_everything(&stack).await;
    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    // Late copies of the last messages must find their rows unchanged, too.
    eventually(Duration::from_secs(60), || async { pending(&stack).await == 0 }).await;
    assert!(stack.dump(run).await == expected, "a message that comes twice changed the result");
    copier.abort();
    assert_eq!(dead_letters(&stack).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_message_ends_as_a_dead_letter() {
    let repository = fixture::repository();
    let served = repository.serve().await;
    let stack = Stack::start(StackOptions::with_host(served.host())).await;
    let subject = format!(
        "{}.caffeine.v1.files.batch.interactive.{}.{}",
        stack.bus.prefix(),
        uuid::Uuid::now_v7(),
        uuid::Uuid::now_v7()
    );
    stack
        .bus
        .jetstream()
        .publish(subject.clone(), "\u{ff}not protobuf".into())
        .await
        .expect("publish")
        .await
        .expect("the stream takes it");
    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    eventually(Duration::from_secs(30), || async { !dead_letters(&stack).await.is_empty() }).await;
    let letters = dead_letters(&stack).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload.as_ref(), "\u{ff}not protobuf".as_bytes(), "the original bytes");
    let headers = letters[0].headers.as_ref().expect("headers");
    assert_eq!(headers.get("Caffeine-Dead-Subject").map(async_nats::HeaderValue::as_str), Some(subject.as_str()));
    assert!(headers.get("Caffeine-Dead-Reason").is_some(), "{headers:?}");
    eventually(Duration::from_secs(30), || async { pending(&stack).await == 0 }).await;
}

/// Messages in the work queues.
async fn pending(stack: &Stack) -> u64 {
    let mut messages = 0;
    for name in ["CLONE", "FILES", "LINK", "CHUNKS", "PLANS", "PAGES", "STATE"] {
        let stream = stack.bus.jetstream().get_stream(format!("{}_{name}", stack.bus.prefix())).await;
        messages += stream.expect("provisioned").cached_info().state.messages;
    }
    messages
}

pub(crate) async fn dead_letters(stack: &Stack) -> Vec<async_nats::jetstream::Message> {
    let stream = stack.bus.jetstream().get_stream(format!("{}_DEAD", stack.bus.prefix())).await.expect("provisioned");
    let config = pull::Config { ack_policy: AckPolicy::None, deliver_policy: DeliverPolicy::All, ..Default::default() };
    let consumer = stream.create_consumer(config).await.expect("an ephemeral consumer");
    let count = usize::try_from(stream.cached_info().state.messages).unwrap_or(usize::MAX);
    let messages = consumer.fetch().max_messages(count.max(1)).messages().await.expect("fetch");
    messages.filter_map(|message| async { message.ok() }).collect().await
}
