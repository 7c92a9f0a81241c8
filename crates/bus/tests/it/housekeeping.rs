//! Undeliverable messages are found and sent again; dead letters are listed, sent again and dropped.

use std::sync::atomic::Ordering;
use std::time::Duration;

use caffeine_bus::{BusError, DeadLetterFilter, Failure, Prior, Reaped, Reaper, Redelivery};
use caffeine_contract::{Consumer, Stream, Subjects, headers};
use caffeine_model::{Generation, Lane, RunId};
use caffeine_testkit::eventually;

use crate::fixture::{Fixture, SOON, Script, quick};

/// Moves the consumer past everything that is stored, without settling it: what a killed broker leaves behind.
async fn lose_sight(fixture: &Fixture) {
    let stream = fixture.stream(Stream::Files);
    let durable = Subjects::durable(Consumer::Chunker.spec(), Lane::Interactive);
    let handle = fixture.broker.jetstream().get_stream(&stream).await.unwrap();
    let next = handle.cached_info().state.last_sequence + 1;
    handle.reset_consumer(&durable, Some(next)).await.unwrap();
}

async fn working(_run: RunId) -> Result<bool, BusError> {
    Ok(false)
}

async fn over(_run: RunId) -> Result<bool, BusError> {
    Ok(true)
}

#[tokio::test]
async fn what_the_broker_lost_sight_of_is_sent_again() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(3).await;
    lose_sight(&fixture).await;
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);

    let mut reaper = Reaper::new(fixture.bus.clone(), Duration::ZERO);
    let reaped = reaper.pass(working).await.unwrap();
    assert_eq!(reaped, Reaped { found: 3, dropped: 0, sent: 3, kept: 0 });
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 3);
    assert_eq!(fixture.count(Stream::Dead).await, 0, "the copies are gone");
    let outputs = fixture.contents(Stream::Chunks).await;
    assert!(outputs.iter().all(|output| output.header(headers::GENERATION) == "1"), "outputs inherit the generation");
    assert_eq!(reaper.pass(working).await.unwrap(), Reaped::default());
}

#[tokio::test]
async fn what_is_being_handled_is_no_ghost() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(2).await;
    let mut reaper = Reaper::new(fixture.bus.clone(), Duration::ZERO);
    assert_eq!(reaper.pass(working).await.unwrap(), Reaped::default(), "not delivered yet");
    let handler = Script::new(|seen, _| async move {
        seen.cancelled.cancelled().await;
        Err(Failure::HandBack { after: Duration::from_secs(60) })
    });
    let worker = fixture.start(quick(), &handler);
    eventually(SOON, || async { handler.calls().len() == 2 }).await;
    assert_eq!(reaper.pass(working).await.unwrap(), Reaped::default(), "delivered and not settled");
    drop(worker);
    assert_eq!(fixture.count(Stream::Files).await, 2);
}

#[tokio::test]
async fn young_ghosts_are_left_alone_and_those_of_ended_runs_dropped() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(2).await;
    lose_sight(&fixture).await;
    let mut patient = Reaper::new(fixture.bus.clone(), Duration::from_secs(3600));
    assert_eq!(patient.pass(over).await.unwrap(), Reaped::default());
    assert_eq!(fixture.count(Stream::Files).await, 2);
    let mut reaper = Reaper::new(fixture.bus.clone(), Duration::ZERO);
    assert_eq!(reaper.pass(over).await.unwrap(), Reaped { found: 2, dropped: 2, sent: 0, kept: 0 });
    assert_eq!((fixture.count(Stream::Files).await, fixture.count(Stream::Dead).await), (0, 0));
}

#[tokio::test]
async fn a_pass_that_died_is_ended_by_the_next() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    lose_sight(&fixture).await;
    let mut reaper = Reaper::new(fixture.bus.clone(), Duration::ZERO);
    // The question about the run is asked when the ghost is a copy already.
    let died = reaper.pass(|_| async { Err::<bool, _>(BusError::Missing { what: "the database".to_owned() }) }).await;
    assert!(died.is_err());
    assert_eq!((fixture.count(Stream::Files).await, fixture.count(Stream::Dead).await), (0, 1));
    assert_eq!(reaper.pass(working).await.unwrap(), Reaped { found: 0, dropped: 0, sent: 1, kept: 0 });
    assert_eq!((fixture.count(Stream::Files).await, fixture.count(Stream::Dead).await), (1, 0));
}

#[tokio::test]
async fn the_third_time_it_is_rejected_unrun_unless_it_was_done() {
    for done in [false, true] {
        let fixture = Fixture::new().await;
        let sent = fixture.batch(0);
        fixture.inbox.priors.lock().unwrap().insert(sent.work(), Prior { done, ..Prior::default() });
        fixture.bus.try_publish(&sent).await.unwrap();
        let mut reaper = Reaper::new(fixture.bus.clone(), Duration::ZERO);
        for _ in 0..3 {
            lose_sight(&fixture).await;
            assert_eq!(reaper.pass(working).await.unwrap().sent, 1);
        }
        let handler = Script::simple();
        let worker = fixture.start(quick(), &handler);
        fixture.wait_for(Stream::Files, 0).await;
        worker.stop().await;
        assert_eq!(handler.calls().len(), usize::from(done));
        let dead = fixture.contents(Stream::Dead).await;
        assert_eq!(dead.len(), usize::from(!done));
        if !done {
            assert_eq!(dead[0].header(headers::DEAD_CODE), "undeliverable");
            assert_eq!(fixture.count(Stream::Chunks).await, 1, "what was owed downstream");
        }
    }
}

/// A dead letter of one batch.
async fn buried(fixture: &Fixture) -> u64 {
    fixture.publish_batches(1).await;
    let handler = Script::new(|_, _| async { Err(Failure::reject("bad", "no good")) });
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    let letters = fixture.bus.dead_letters(&DeadLetterFilter::default(), 1, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].stage.as_str(), letters[0].code.as_str()), ("chunker", "bad"));
    assert_eq!(letters[0].scope.as_ref(), Some(&fixture.scope));
    assert_eq!(fixture.bus.dead_letter(letters[0].id).await.unwrap().as_ref(), Some(&letters[0]));
    letters[0].id
}

#[tokio::test]
async fn a_dead_letter_is_sent_into_its_working_run() {
    let fixture = Fixture::new().await;
    let id = buried(&fixture).await;
    // The handler's transaction would have written that.
    let rejection = caffeine_bus::Rejection { code: "bad".to_owned(), reason: "no good".to_owned() };
    let prior = Prior { attempts: 3, rejected: Some(rejection), ..Prior::default() };
    fixture.inbox.priors.lock().unwrap().insert(fixture.batch(0).work(), prior);

    assert_eq!(fixture.bus.redeliver(id, false).await.unwrap(), Some(Redelivery::Sent));
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    // Its first delivery comes to nothing.
    fixture.hand_a_batch_back().await;
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    let calls = handler.calls();
    assert_eq!((calls.len(), calls[0].attempts), (1, 0), "it begins anew");
    assert_eq!(fixture.inbox.forgotten.load(Ordering::SeqCst), 1);
    assert_eq!(fixture.bus.redeliver(id, false).await.unwrap(), None);
}

#[tokio::test]
async fn after_the_end_of_its_run_another_one_is_asked_for() {
    let fixture = Fixture::new().await;
    let id = buried(&fixture).await;
    assert_eq!(fixture.bus.redeliver(id, true).await.unwrap(), Some(Redelivery::FollowedByRun));
    assert_eq!((fixture.count(Stream::Dead).await, fixture.count(Stream::State).await), (0, 1));
}

#[tokio::test]
async fn letters_are_filtered_and_dropped() {
    let fixture = Fixture::new().await;
    let id = buried(&fixture).await;
    for (filter, found) in [
        (DeadLetterFilter { stage: Some("chunker".to_owned()), ..DeadLetterFilter::default() }, 1),
        (DeadLetterFilter { stage: Some("embedder".to_owned()), ..DeadLetterFilter::default() }, 0),
        (DeadLetterFilter { code: Some("other".to_owned()), ..DeadLetterFilter::default() }, 0),
        (DeadLetterFilter { run: Some(fixture.scope.run), ..DeadLetterFilter::default() }, 1),
        (DeadLetterFilter { run: Some(RunId::generate()), ..DeadLetterFilter::default() }, 0),
    ] {
        assert_eq!(fixture.bus.dead_letters(&filter, 1, 10).await.unwrap().len(), found, "{filter:?}");
    }
    fixture.bus.drop_dead_letter(id).await.unwrap();
    fixture.bus.drop_dead_letter(id).await.unwrap();
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn work_is_seen_wherever_it_lies() {
    let fixture = Fixture::new().await;
    let scope = fixture.scope.clone();
    let has_work = || fixture.bus.has_work(scope.workspace, scope.repository, scope.run);
    assert!(!has_work().await.unwrap());
    fixture.publish_batches(1).await;
    assert!(has_work().await.unwrap());
    let other = RunId::generate();
    assert!(fixture.bus.has_work(scope.workspace, scope.repository, other).await.unwrap(), "the repository's");
    fixture.broker.jetstream().get_stream(fixture.stream(Stream::Files)).await.unwrap().purge().await.unwrap();
    fixture.bus.ask_again(&scope, Generation(1), String::new(), false).await.unwrap();
    assert!(has_work().await.unwrap(), "a transition");
    assert!(!fixture.bus.has_work(scope.workspace, scope.repository, other).await.unwrap(), "of this run alone");
}
