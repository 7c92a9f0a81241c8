//! When all batches are in.

use caffeine_chunker::Progress;
use caffeine_contract::{Kind, v1};

use crate::fixture::{BATCHES, Fixture, assert_same, kinds, output, rejection};

/// Delivers the three batches and the list in an order; the list is 3.
async fn check(order: [u32; 4]) {
    let fixture = Fixture::new(&BATCHES).await;
    let mut completed = Vec::new();
    for (place, what) in order.into_iter().enumerate() {
        let handled = match what {
            3 => fixture.deliver_listed(&fixture.listed(3)).await.unwrap(),
            batch => fixture.deliver_batch(&fixture.batch(batch, BATCHES[batch as usize])).await.unwrap(),
        };
        if kinds(&handled).contains(&Kind::LinkRequested) {
            completed.push(place);
            assert_eq!(handled.progress, Some(Progress { done: 3, total: 3 }));
        }
    }
    assert_eq!(completed, [3], "{order:?}");
}

#[tokio::test]
async fn the_list_may_come_at_any_time() {
    check([3, 0, 1, 2]).await;
    check([0, 3, 2, 1]).await;
    check([2, 1, 0, 3]).await;
}

#[tokio::test]
async fn no_batches_at_all() {
    let fixture = Fixture::new(&[]).await;
    let first = fixture.deliver_listed(&fixture.listed(0)).await.unwrap();
    assert_eq!(kinds(&first), [Kind::LinkRequested]);
    assert_eq!(first.outputs[0].work(), fixture.deliver_listed(&fixture.listed(0)).await.unwrap().outputs[0].work());
    let linked = fixture.deliver_link().await.unwrap();
    assert_eq!(kinds(&linked), [Kind::DocumentReady, Kind::RunTransition]);
}

#[tokio::test]
async fn racing_batches_complete_exactly_once() {
    for _ in 0..5 {
        let fixture = Fixture::new(&BATCHES).await;
        let (zero, one, two) =
            (fixture.batch(0, BATCHES[0]), fixture.batch(1, BATCHES[1]), fixture.batch(2, BATCHES[2]));
        let listed = fixture.listed(3);
        let (zero, one, two, listed) = tokio::join!(
            fixture.deliver_batch(&zero),
            fixture.deliver_batch(&one),
            fixture.deliver_batch(&two),
            fixture.deliver_listed(&listed),
        );
        let all = [zero.unwrap(), one.unwrap(), two.unwrap(), listed.unwrap()];
        let complete = all.iter().filter(|handled| kinds(handled).contains(&Kind::LinkRequested)).count();
        assert_eq!(complete, 1);
    }
}

#[tokio::test]
async fn a_failed_batch_ends_the_fan_in_and_a_success_takes_its_place() {
    let fixture = Fixture::new(&BATCHES[..2]).await;
    fixture.deliver_listed(&fixture.listed(2)).await.unwrap();
    fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    let failed = fixture.reject_batch("1", &rejection()).await.unwrap();
    assert_eq!(kinds(&failed), [Kind::ChunksBatch, Kind::LinkRequested]);
    let chunks: v1::ChunksBatch = output(&failed);
    assert_eq!((chunks.batch, chunks.failure.unwrap().code.as_str()), (1, "bad_batch"));
    let (outcome, detail) = fixture.outcome(Kind::FilesBatch, "1").await.unwrap();
    assert_eq!((outcome.as_str(), detail.as_deref()), ("rejected", Some("bad_batch: it is broken")));
    assert_eq!(fixture.reject_batch("1", &rejection()).await.unwrap(), failed);
    let linked: v1::RunTransition = output(&fixture.deliver_link().await.unwrap());
    let Some(v1::run_transition::Transition::Analysed(analysed)) = linked.transition else { panic!("{linked:?}") };
    assert_eq!(analysed.failed_batches, 1);

    let failures = "SELECT count(*) FROM file_batches WHERE failure_reason IS NOT NULL";
    assert_eq!(fixture.count(failures).await, 1);
    fixture.deliver_batch(&fixture.batch(1, BATCHES[1])).await.unwrap();
    assert_eq!(fixture.count(failures).await, 0);
    fixture.reject_batch("1", &rejection()).await.unwrap();
    assert_eq!(fixture.count(failures).await, 0, "a batch that is in stays in");
    assert_eq!(fixture.outcome(Kind::FilesBatch, "1").await.unwrap().0, "done");
}

#[tokio::test]
async fn a_batch_that_is_not_of_the_plan_completes_nothing() {
    let fixture = Fixture::new(&BATCHES[..1]).await;
    fixture.deliver_listed(&fixture.listed(1)).await.unwrap();
    let stray = fixture.deliver_batch(&fixture.batch(9, BATCHES[1])).await.unwrap();
    assert_eq!(kinds(&stray), [Kind::ChunksBatch]);
    let planned = fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    assert_eq!(kinds(&planned), [Kind::ChunksBatch, Kind::LinkRequested]);
}

#[tokio::test]
async fn a_failed_clone_is_passed_on_and_completes_nothing() {
    let fixture = Fixture::new(&BATCHES).await;
    let failure = v1::Failure { code: "not_found".to_owned(), reason: "no such repository".to_owned() };
    let message = v1::FilesListed { failure: Some(failure.clone()), ..fixture.listed(0) };
    let first = fixture.deliver_listed(&message).await.unwrap();
    assert_eq!(kinds(&first), [Kind::DocumentReady]);
    let ready: v1::DocumentReady = output(&first);
    assert_eq!((ready.phase(), ready.failure), (v1::Phase::Analysed, Some(failure)));
    assert_eq!(fixture.deliver_listed(&message).await.unwrap(), first);
    // The first word counts.
    assert_eq!(fixture.deliver_listed(&fixture.listed(0)).await.unwrap(), first);
    let late = fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    assert_eq!(kinds(&late), [Kind::ChunksBatch]);
}

#[tokio::test]
async fn one_and_many_handlers_write_the_same_rows() {
    let alone = Fixture::new(&BATCHES).await;
    for (number, files) in (0..).zip(BATCHES) {
        alone.deliver_batch(&alone.batch(number, files)).await.unwrap();
    }
    alone.deliver_listed(&alone.listed(3)).await.unwrap();
    alone.deliver_link().await.unwrap();

    let many = Fixture::new(&BATCHES).await;
    let messages: Vec<_> = [2, 1, 0].map(|number| many.batch(number, BATCHES[number as usize])).into();
    // Each batch to three handlers at once.
    let deliveries = messages.iter().cycle().take(9).map(|message| many.deliver_batch(message));
    let listed = many.listed(3);
    let (handled, listed) = tokio::join!(futures::future::join_all(deliveries), many.deliver_listed(&listed));
    assert!(handled.iter().all(Result::is_ok) && listed.is_ok());
    let (one, two) = tokio::join!(many.deliver_link(), many.deliver_link());
    assert_eq!(one.unwrap(), two.unwrap());
    assert_same(&many.dump().await, &alone.dump().await);
}
