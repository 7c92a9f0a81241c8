use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use caffeine_bus::{Failure, Prior, Rejection};
use caffeine_contract::{Stream, headers};

use crate::fixture::{Fixture, Script, output, quick};

#[tokio::test]
async fn attempts_are_used_up_with_growing_delays_and_end_in_a_dead_letter() {
    let fixture = Fixture::new().await;
    let sent = fixture.batch(7);
    fixture.bus.try_publish(&sent).await.unwrap();
    let handler = Script::new(|_, _| async { Err(Failure::retry("the weather")) });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;

    let calls = handler.calls();
    assert_eq!(calls.iter().map(|call| call.attempts).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(calls[1].at - calls[0].at >= Duration::from_millis(75), "about 100 ms");
    assert!(calls[2].at - calls[1].at >= Duration::from_millis(300), "about 400 ms");
    let rejections = handler.rejections.lock().unwrap().clone();
    let expected = Rejection { code: "attempts_used_up".to_owned(), reason: "the weather".to_owned() };
    assert_eq!(rejections, [("7".to_owned(), expected, true)]);

    let dead = fixture.contents(Stream::Dead).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].payload, sent.body);
    for (name, value) in [
        (headers::DEAD_CODE, "attempts_used_up"),
        (headers::DEAD_REASON, "the weather"),
        (headers::DEAD_DELIVERED, "3"),
        (headers::DEAD_SEQUENCE, "1"),
        (headers::DEAD_STREAM, fixture.stream(Stream::Files).as_str()),
        (headers::KIND, "files.batch"),
        (headers::KEY, "7"),
        (headers::MESSAGE_ID, format!("dead:{}:1", fixture.stream(Stream::Files)).as_str()),
    ] {
        assert_eq!(dead[0].header(name), value, "{name}");
    }
    assert_eq!(fixture.count(Stream::Chunks).await, 1, "what was owed downstream");
}

#[tokio::test]
async fn a_providers_delay_wins() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let handler = Script::new(|_, call| async move {
        match call {
            0 => Err(Failure::Retry { after: Some(Duration::from_millis(700)), reason: "busy".to_owned() }),
            _ => Ok(Vec::new()),
        }
    });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    let calls = handler.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[1].at - calls[0].at >= Duration::from_millis(690));
}

#[tokio::test]
async fn a_panic_is_an_attempt() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(2).await;
    let handler = Script::new(|seen, _| async move {
        assert!(seen.batch != 1, "boom");
        Ok(vec![output(&seen.scope, seen.batch)])
    });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    let reasons = fixture.inbox.reasons.lock().unwrap().clone();
    assert_eq!(reasons, ["panicked: boom", "panicked: boom", "panicked: boom"]);
    assert_eq!(fixture.contents(Stream::Dead).await[0].header(headers::DEAD_REASON), "panicked: boom");
    assert_eq!(fixture.count(Stream::Chunks).await, 2);
}

#[tokio::test]
async fn a_job_without_end_is_an_attempt() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let handler = Script::new(|seen, call| async move {
        if call == 0 {
            seen.cancelled.cancelled().await;
            return Err(Failure::Cancelled);
        }
        Ok(Vec::new())
    });
    let mut spec = quick();
    spec.time_limit = Duration::from_millis(200);
    let worker = fixture.start(spec, &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 2);
    assert_eq!(*fixture.inbox.reasons.lock().unwrap(), ["took longer than 0 s"]);
}

#[tokio::test]
async fn handing_back_is_not_counted() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let handler = Script::new(|_, call| async move {
        match call {
            0..20 => Err(Failure::HandBack { after: Duration::from_millis(call as u64 % 2 * 20) }),
            _ => Ok(Vec::new()),
        }
    });
    let mut spec = quick();
    spec.attempts = 1;
    let worker = fixture.start(spec, &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 21);
    assert!(handler.calls().iter().all(|call| call.attempts == 0));
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn a_rejection_is_final_at_once() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let handler = Script::new(|_, _| async { Err(Failure::reject("bad", "no good\r\nCaffeine-Run: x")) });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1);
    let dead = fixture.contents(Stream::Dead).await;
    assert_eq!(dead[0].header(headers::DEAD_CODE), "bad");
    assert_eq!(dead[0].header(headers::RUN), fixture.scope.run.to_string(), "a reason cannot forge a header");
}

#[tokio::test]
async fn a_rejection_that_was_interrupted_is_completed_without_running_again() {
    let fixture = Fixture::new().await;
    let sent = fixture.batch(4);
    let rejection = Rejection { code: "bad".to_owned(), reason: "no good".to_owned() };
    let prior = Prior { rejected: Some(rejection.clone()), ..Prior::default() };
    fixture.inbox.priors.lock().unwrap().insert(sent.work(), prior);
    fixture.bus.try_publish(&sent).await.unwrap();
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert!(handler.calls().is_empty());
    assert_eq!(handler.rejections.lock().unwrap()[0].1, rejection);
    assert_eq!(fixture.contents(Stream::Dead).await[0].payload, sent.body);
}

#[tokio::test]
async fn a_message_that_kills_its_readers_is_rejected_unrun() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    // The first delivery has no past; from the second on the inbox tells of deaths.
    fixture.inbox.crashes.store(caffeine_contract::table::MAX_CRASHES, Ordering::SeqCst);
    let handler = Script::new(|_, _| async { Err(Failure::HandBack { after: Duration::ZERO }) });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1);
    assert_eq!(fixture.contents(Stream::Dead).await[0].header(headers::DEAD_CODE), "kills_its_reader");
}

#[tokio::test]
async fn work_that_used_up_its_time_pays_what_it_owes() {
    let fixture = Fixture::new().await;
    let sent = fixture.batch(5);
    // Stored effects keep the rejection from being remembered: it must succeed in this very delivery.
    fixture.inbox.priors.lock().unwrap().insert(sent.work(), Prior { done: true, ..Prior::default() });
    fixture.bus.try_publish(&sent).await.unwrap();
    let handler = Script::new(|seen, _| async move {
        seen.cancelled.cancelled().await;
        Err(Failure::Cancelled)
    });
    let mut spec = quick();
    spec.time_limit = Duration::from_millis(200);
    spec.attempts = 1;
    let worker = fixture.start(spec, &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1);
    assert_eq!(fixture.count(Stream::Chunks).await, 1, "what was owed downstream");
    assert_eq!(fixture.contents(Stream::Dead).await[0].header(headers::DEAD_CODE), "attempts_used_up");
}

#[tokio::test]
async fn work_whose_effects_are_stored_can_kill_its_readers_too() {
    let fixture = Fixture::new().await;
    let sent = fixture.batch(4);
    fixture.inbox.priors.lock().unwrap().insert(sent.work(), Prior { done: true, ..Prior::default() });
    fixture.inbox.crashes.store(caffeine_contract::table::MAX_CRASHES, Ordering::SeqCst);
    fixture.bus.try_publish(&sent).await.unwrap();
    // The first delivery comes back; a third one would be the end of this test's patience.
    let handler = Script::new(|_, _| async { Err(Failure::HandBack { after: Duration::from_millis(100) }) });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1);
    assert_eq!(fixture.contents(Stream::Dead).await[0].header(headers::DEAD_CODE), "kills_its_reader");
}

#[tokio::test]
async fn reasons_can_be_written_down() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let long = format!("a\0b\nc{}", "x".repeat(5_000));
    let handler = Script::new(move |_, call| {
        let reason = long.clone();
        async move { Err(if call == 0 { Failure::retry(reason) } else { Failure::reject("bad", reason) }) }
    });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    let counted = fixture.inbox.reasons.lock().unwrap().clone();
    let rejected = handler.rejections.lock().unwrap()[0].1.reason.clone();
    for reason in [&counted[0], &rejected] {
        assert!(reason.starts_with("a b cx") && reason.len() == 2_000, "{reason}");
    }
}

#[tokio::test]
async fn an_inbox_that_does_not_answer_is_asked_again() {
    let fixture = Fixture::new().await;
    fixture.inbox.silent.store(1, Ordering::SeqCst);
    fixture.publish_batches(1).await;
    let handler = Script::simple();
    let mut spec = quick();
    spec.ack_wait = Duration::from_secs(1);
    let worker = fixture.start(spec, &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1);
}

#[tokio::test]
async fn a_suspect_runs_alone() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(3).await;
    // From its second delivery on, each message is one whose reader died.
    fixture.inbox.crashes.store(1, Ordering::SeqCst);
    let running = Arc::new(AtomicU32::new(0));
    let most = Arc::new(AtomicU32::new(0));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let handler = Script::new(move |_, call| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            if call < 3 {
                return Err(Failure::HandBack { after: Duration::ZERO });
            }
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Vec::new())
        }
    });
    let mut spec = quick();
    spec.slots = 3;
    let worker = fixture.start(spec, &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!((handler.calls().len(), most.load(Ordering::SeqCst)), (6, 1));
}
