//! Rows 11 to 13: messages that come twice, come again, and find no room.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::watch::{COPY, Heard};
use crate::faults::world::{DEADLINE, World, until};

/// The broker's id of a message, under which it knows a repeat.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The shortest window that the broker has.
const SHORT_WINDOW: Duration = Duration::from_secs(1);

/// Row 11: each message is published once more without an id, after a random while.
pub(crate) async fn come_twice(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    let began = Instant::now();
    let mut waiting: Vec<(Instant, Heard)> = Vec::new();
    let mut copies = 0;
    // What is published again because of a copy has an id that is known.
    let mut known = BTreeSet::new();
    loop {
        let ended = world.all_final(&runs, Duration::ZERO).await;
        let now = Instant::now();
        for heard in world.watch.take_published() {
            if known.insert(id_of(&heard)) {
                waiting.push((now + rng.millis(0, 600), heard));
            }
        }
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(at, _)| *at <= now);
        waiting = later;
        for (_, heard) in due {
            let mut headers = without_id(&heard.headers);
            headers.insert(COPY, "1");
            store(world, &heard, headers).await;
            copies += 1;
        }
        if (ended && waiting.is_empty()) || began.elapsed() > DEADLINE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report.injected_times("messages published twice", copies);
    let mut verdict = world.verdict(&runs).await;
    verdict.require(copies > 40, || format!("only {copies} messages were copied"));
    verdict
}

/// Row 12: some time after the broker has forgotten the ids, everything is published again as it was, in another order
/// and not all at once.
pub(crate) async fn are_replayed(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let windows = change_streams(world, |config| config.duplicate_window = SHORT_WINDOW).await;
    let runs = world.submit().await;
    let mut verdict = Verdict::default();
    verdict.require(world.all_final(&runs, DEADLINE).await, || "the runs end before the replay".to_owned());
    until(DEADLINE, async || world.left().await.is_some_and(|left| left.is_nothing())).await;
    tokio::time::sleep(SHORT_WINDOW + rng.millis(300, 2_000)).await;
    // A running broker forgets ids when a timer ends that it set by the window of before; one that starts reads only
    // those within the window.
    world.servers.restart_nats().await;
    let before = stored(world).await;
    let mut known = BTreeSet::new();
    let mut replayed = world.watch.take_published();
    // A repeat while the window was open was swallowed then as well.
    replayed.retain(|heard| known.insert(id_of(heard)));
    rng.shuffle(&mut replayed);
    let halt = rng.below(replayed.len().max(1));
    for (at, heard) in replayed.iter().enumerate() {
        if at == halt {
            // What came before it may have gone through by then.
            tokio::time::sleep(rng.millis(0, 800)).await;
        }
        let mut headers = heard.headers.clone();
        headers.insert(COPY, "1");
        store(world, heard, headers).await;
    }
    // The stages repeat their own outputs, too, often before this loop comes to them: whoever was first, it counts.
    let taken = stored(world).await - before;
    report.injected_times("messages replayed after the dedup window", taken);
    verdict.require(taken > 40, || format!("only {taken} of {} messages were new to the broker", known.len()));
    let found = world.verdict(&runs).await;
    restore_streams(world, windows).await;
    found.and(verdict)
}

/// Row 13: streams with room for one batch, whose readers pause. Nothing is lost, nobody spins, and the cloner keeps its
/// message.
pub(crate) async fn find_no_room(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let small = |config: &mut Config| {
        if config.name.ends_with("_FILES") || config.name.ends_with("_CHUNKS") {
            config.max_messages_per_subject = 2;
            config.max_bytes = 1024 * 1024;
        }
    };
    let sizes = change_streams(world, small).await;
    let (stream, durable) = rng.turn(&[("FILES", "chunker-i"), ("CHUNKS", "embedder-i")]);
    pause(world, stream, durable, "2099-01-01T00:00:00Z").await;
    let runs = world.submit().await;
    // Until the cloners have published what there is room for.
    let name = format!("{}_FILES", world.stack.bus.prefix());
    let full = until(Duration::from_secs(10), async || {
        world.left().await.is_some_and(|left| left.messages.get(&name).is_some_and(|messages| *messages > 0))
    })
    .await;
    // What can be done is done by then.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = processor_time(world);
    let measured = Instant::now();
    tokio::time::sleep(rng.millis(2_000, 3_500)).await;
    let busy = (processor_time(world) - before).as_secs_f64() / measured.elapsed().as_secs_f64();
    pause(world, stream, durable, "2000-01-01T00:00:00Z").await;
    report.injected(format!("{stream} full"));
    report.worst("processors that all blocked services took together", busy);
    let mut verdict = world.verdict(&runs).await;
    verdict.require(full, || "the stream never filled".to_owned());
    verdict.require(busy < 0.5, || format!("waiting took {busy:.2} processors"));
    let clones = world.watch.silent_redeliveries(|stream| stream == "CLONE");
    verdict.require(clones == 0, || format!("{clones} clones came again while they waited for room"));
    restore_streams(world, sizes).await;
    verdict
}

fn id_of(heard: &Heard) -> String {
    heard.headers.get(MESSAGE_ID).map(ToString::to_string).unwrap_or_default()
}

fn without_id(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter() {
        if name.to_string() != MESSAGE_ID {
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    kept
}

/// How many messages the work streams have taken since they exist.
async fn stored(world: &World) -> u64 {
    let jetstream = world.stack.bus.jetstream();
    let mut taken = 0;
    for name in world.stack.bus.streams().await {
        taken += jetstream.get_stream(&name).await.expect("the stream is there").cached_info().state.last_sequence;
    }
    taken
}

/// Publishes until there is room.
async fn store(world: &World, heard: &Heard, headers: HeaderMap) {
    let jetstream = world.stack.bus.jetstream();
    let began = Instant::now();
    loop {
        let sent = jetstream.publish_with_headers(heard.subject.clone(), headers.clone(), heard.body.clone());
        let stored = match sent.await {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(_) => return,
            Err(error) => assert!(began.elapsed() < DEADLINE, "{} is never stored: {error}", heard.subject),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Changes the work streams; returns what they were.
async fn change_streams(world: &World, change: impl Fn(&mut Config)) -> Vec<Config> {
    let jetstream = world.stack.bus.jetstream();
    let mut before = Vec::new();
    for name in world.stack.bus.streams().await {
        let stream = jetstream.get_stream(&name).await.expect("the stream is there");
        let config = stream.cached_info().config.clone();
        if config.retention != async_nats::jetstream::stream::RetentionPolicy::WorkQueue {
            continue;
        }
        let mut changed = config.clone();
        change(&mut changed);
        jetstream.update_stream(changed).await.unwrap_or_else(|error| panic!("{name} can be changed: {error}"));
        before.push(config);
    }
    before
}

async fn restore_streams(world: &World, before: Vec<Config>) {
    for config in before {
        world.stack.bus.jetstream().update_stream(config).await.expect("a stream can be changed back");
    }
}

async fn pause(world: &World, stream: &str, durable: &str, until: &str) {
    let subject = format!("$JS.API.CONSUMER.PAUSE.{}_{stream}.{durable}", world.stack.bus.prefix());
    let body = format!(r#"{{"pause_until":"{until}"}}"#);
    let answer = world.stack.bus.client().request(subject, body.into()).await.expect("the broker answers");
    let text = String::from_utf8_lossy(&answer.payload);
    assert!(!text.contains("\"error\""), "the consumer can be paused: {text}");
}

/// What all services together have computed so far.
fn processor_time(world: &World) -> Duration {
    let ticks: u64 = world
        .stack
        .pods()
        .map(|(_, process)| {
            let text = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap_or_default();
            let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
            // User and system time, fields 14 and 15, of which the first two are before the bracket.
            number(11) + number(12)
        })
        .sum();
    // The kernel counts hundredths of a second for programs.
    Duration::from_millis(ticks * 10)
}
