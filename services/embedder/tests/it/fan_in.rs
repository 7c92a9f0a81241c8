//! When all batches are in.

use caffeine_contract::{Kind, v1};
use caffeine_embedder::Progress;

use crate::fixture::{BATCHES, Fixture, assert_same, indexed, kinds, output, rejection};

/// Delivers the three batches and the list in an order; the list is 3.
async fn check(order: [u32; 4]) {
    let fixture = Fixture::new(&BATCHES).await;
    let mut completed = Vec::new();
    for (place, what) in order.into_iter().enumerate() {
        let handled = match what {
            3 => fixture.deliver_listed(&fixture.listed(3)).await.unwrap(),
            batch => fixture.deliver_batch(&fixture.batch(batch, BATCHES[batch as usize])).await.unwrap(),
        };
        if !handled.outputs.is_empty() {
            completed.push(place);
            assert_eq!(kinds(&handled), [Kind::DocumentReady, Kind::RunTransition]);
            assert_eq!(output::<v1::DocumentReady>(&handled).phase(), v1::Phase::Indexed);
            assert_eq!(indexed(&handled), v1::Indexed { chunks: 5, failed_batches: 0 });
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
async fn no_batches_at_all_counts_the_known_files() {
    let mut fixture = Fixture::new(&BATCHES[..1]).await;
    let nothing = fixture.deliver_listed(&fixture.listed(0)).await.unwrap();
    assert_eq!(indexed(&nothing).chunks, 0);
    assert_eq!(fixture.deliver_listed(&fixture.listed(0)).await.unwrap(), nothing);

    fixture.next_run(&BATCHES[..1]).await;
    fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    fixture.next_run(&BATCHES[..1]).await;
    let known = fixture.deliver_listed(&fixture.listed(0)).await.unwrap();
    assert_eq!(indexed(&known).chunks, 3);
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
        assert_eq!(all.iter().filter(|handled| !handled.outputs.is_empty()).count(), 1);
    }
}

#[tokio::test]
async fn batches_that_failed_before_or_here_end_the_fan_in() {
    let fixture = Fixture::new(&BATCHES).await;
    fixture.deliver_listed(&fixture.listed(3)).await.unwrap();
    fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    assert_eq!(kinds(&fixture.deliver_batch(&fixture.failed_batch(1)).await.unwrap()), []);
    let last = fixture.reject_batch("2", &rejection()).await.unwrap();
    assert_eq!(indexed(&last), v1::Indexed { chunks: 3, failed_batches: 2 });
    assert_eq!(fixture.reject_batch("2", &rejection()).await.unwrap(), last);
    assert_eq!(fixture.outcome(Kind::ChunksBatch, "1").await.unwrap(), ("done".to_owned(), None));
    let (outcome, detail) = fixture.outcome(Kind::ChunksBatch, "2").await.unwrap();
    assert_eq!((outcome.as_str(), detail.as_deref()), ("rejected", Some("bad_batch: it is broken")));
    let reason: String = sqlx::query_scalar("SELECT failure_reason FROM chunk_batches WHERE batch = 1")
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(reason, "bad_batch: it is broken");

    let healed = fixture.deliver_batch(&fixture.batch(1, BATCHES[1])).await.unwrap();
    assert_eq!(indexed(&healed), v1::Indexed { chunks: 4, failed_batches: 1 });
    let again = fixture.deliver_batch(&fixture.failed_batch(1)).await.unwrap();
    assert_eq!(indexed(&again), v1::Indexed { chunks: 4, failed_batches: 1 }, "a batch that is in stays in");
}

#[tokio::test]
async fn a_failed_clone_is_passed_on_and_completes_nothing() {
    let fixture = Fixture::new(&BATCHES).await;
    let failure = v1::Failure { code: "not_found".to_owned(), reason: "no such repository".to_owned() };
    let message = v1::ChunksListed { failure: Some(failure.clone()), ..fixture.listed(0) };
    let first = fixture.deliver_listed(&message).await.unwrap();
    assert_eq!(kinds(&first), [Kind::DocumentReady]);
    let ready: v1::DocumentReady = output(&first);
    assert_eq!((ready.phase(), ready.failure), (v1::Phase::Indexed, Some(failure)));
    assert_eq!(fixture.deliver_listed(&message).await.unwrap(), first);
    // The first word counts.
    assert_eq!(fixture.deliver_listed(&fixture.listed(0)).await.unwrap(), first);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_ends_the_index_with_a_reason() {
    let fixture = Fixture::new(&BATCHES).await;
    let handled = fixture.reject_listed(&rejection()).await.unwrap();
    assert_eq!(kinds(&handled), [Kind::DocumentReady, Kind::RunTransition]);
    let Some(v1::run_transition::Transition::Failed(failed)) = output::<v1::RunTransition>(&handled).transition else {
        panic!("{handled:?}")
    };
    assert_eq!((failed.stage.as_str(), failed.failure.unwrap().code.as_str()), ("index", "bad_batch"));
}

#[tokio::test]
async fn a_rejection_after_the_index_repeats_its_outputs() {
    let fixture = Fixture::new(&[]).await;
    let indexed = fixture.deliver_listed(&fixture.listed(0)).await.unwrap();
    assert_eq!(fixture.reject_listed(&rejection()).await.unwrap(), indexed);
    assert_eq!(fixture.outcome(Kind::ChunksListed, "").await.unwrap().0, "done");
}

#[tokio::test]
async fn one_and_many_handlers_write_the_same_rows() {
    let alone = Fixture::new(&BATCHES).await;
    for (number, files) in (0..).zip(BATCHES) {
        alone.deliver_batch(&alone.batch(number, files)).await.unwrap();
    }
    alone.deliver_listed(&alone.listed(3)).await.unwrap();

    let many = Fixture::new(&BATCHES).await;
    let messages = [2, 1, 0].map(|number| many.batch(number, BATCHES[number as usize]));
    // Each batch to three handlers at once.
    let deliveries = messages.iter().cycle().take(9).map(|message| many.deliver_batch(message));
    let listed = many.listed(3);
    let (handled, listed) = tokio::join!(futures::future::join_all(deliveries), many.deliver_listed(&listed));
    assert!(handled.iter().all(Result::is_ok) && listed.is_ok());
    assert_same(&many.dump().await, &alone.dump().await);
}
