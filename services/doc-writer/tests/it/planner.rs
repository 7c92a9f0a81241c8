//! `document.requested` and `document.ready`: whichever is last begins the document.

use caffeine_bus::{Failure, Rejection};
use caffeine_contract::{Message, v1};
use caffeine_model::{DocumentState, Lane};

use crate::fixture::{Fixture, document_of, slugs, structural, template, transitions};

const ANALYSED: v1::Phase = v1::Phase::Analysed;
const INDEXED: v1::Phase = v1::Phase::Indexed;

/// Delivers request (0) and halves (1, 2) in an order, each twice; only the last one begins the document.
async fn check(order: [u8; 3]) {
    let fixture = Fixture::new().await;
    let message = structural();
    for (place, what) in order.into_iter().enumerate() {
        let deliver = || async {
            match what {
                0 => fixture.request(&message).await.unwrap(),
                1 => fixture.half(ANALYSED, None).await.unwrap(),
                _ => fixture.half(INDEXED, None).await.unwrap(),
            }
        };
        let outputs = deliver().await;
        assert_eq!(outputs.is_empty(), place < 2, "{order:?}");
        let rows = fixture.dump().await;
        assert_eq!(deliver().await, outputs, "the same outputs again, {order:?}");
        assert_eq!(fixture.dump().await, rows, "the same rows, {order:?}");
        if place == 2 {
            let pages = slugs(&outputs);
            assert_eq!(pages.first().map(String::as_str), Some("index"));
            assert!(pages.contains(&"module-src-store".to_owned()), "{pages:?}");
            assert_eq!(transitions(&outputs), [format!("planned {}", pages.len())]);
            assert!(outputs.iter().all(|output| output.scope.lane == Lane::Bulk), "the lane of the plan");
            let document = fixture.store.document(fixture.scope.workspace, document_of(&message)).await.unwrap();
            assert_eq!(document.unwrap().state, DocumentState::Writing);
        }
    }
}

#[tokio::test]
async fn the_last_of_three_begins_the_document() {
    check([0, 1, 2]).await;
    check([2, 0, 1]).await;
    check([1, 2, 0]).await;
}

#[tokio::test]
async fn a_second_document_begins_at_once_and_the_first_is_left_alone() {
    let fixture = Fixture::new().await;
    let (_, first) = fixture.begin(&structural()).await;
    let second = fixture.request(&structural()).await.unwrap();
    assert_eq!(slugs(&second), first, "the same snapshot has the same pages");
    let again = fixture.half(INDEXED, None).await.unwrap();
    assert_eq!(slugs(&again).len(), 2 * first.len(), "a repeat asks for the pages of both");
}

#[tokio::test]
async fn a_failed_half_fails_every_document() {
    let fixture = Fixture::new().await;
    let (early, late) = (structural(), structural());
    fixture.request(&early).await.unwrap();
    let outputs = fixture.half(ANALYSED, Some("The repository needs credentials.")).await.unwrap();
    let expected = ["completed 0/0 run_failed: The repository needs credentials."];
    assert_eq!(transitions(&outputs), expected);
    let rows = fixture.dump().await;
    assert_eq!(fixture.half(ANALYSED, Some("The repository needs credentials.")).await.unwrap(), outputs);
    assert_eq!(fixture.dump().await, rows);
    // The other half says the same, with the same message ids.
    let other = fixture.half(INDEXED, Some("Nothing to index.")).await.unwrap();
    assert_eq!(transitions(&other), expected, "the first reason stays");
    assert_eq!(other[0].message_id(), outputs[0].message_id());
    assert_eq!(transitions(&fixture.request(&late).await.unwrap()), expected);
    assert_eq!(fixture.text("SELECT state FROM documents").await, "failed, failed");
}

#[tokio::test]
async fn without_a_model_a_template_is_written_structurally_and_says_so() {
    let fixture = Fixture::new().await;
    let (document, pages) = fixture.begin(&template("Explain {code}")).await;
    assert!(pages.len() > 3, "{pages:?}");
    fixture.page(document, "index").await.unwrap();
    let markdown = fixture.markdown(document, "index").await;
    assert!(markdown.contains("**Notice:** No model is configured"), "{markdown}");
    assert!(fixture.text("SELECT notice FROM documents WHERE writer = 'structural'").await.contains("“Connections”"));
}

#[tokio::test]
async fn rejected_messages_end_their_documents() {
    let fixture = Fixture::new().await;
    let rejection = Rejection { code: "undecodable".to_owned(), reason: "The message cannot be read.".to_owned() };
    let message = structural();
    let (work, key) = (fixture.work(&message), message.key());
    let expected = ["completed 0/0 undecodable: The message cannot be read."];
    for _ in 0..2 {
        let outputs = fixture.planner.reject_requested(&fixture.scope, work, &key, None, &rejection).await.unwrap();
        assert_eq!(transitions(&outputs), expected);
    }
    assert_eq!(
        fixture.text("SELECT outcome || ' ' || detail FROM document_inbox").await,
        "rejected undecodable: The message cannot be read."
    );
    let outputs = fixture.planner.reject_requested(&fixture.scope, work, "no key", None, &rejection).await.unwrap();
    assert_eq!(outputs, []);

    let waiting = structural();
    fixture.request(&waiting).await.unwrap();
    let ready = v1::DocumentReady { phase: INDEXED.into(), ..v1::DocumentReady::default() };
    let outputs = fixture.planner.reject_ready(&fixture.scope, fixture.work(&ready), &rejection).await.unwrap();
    assert_eq!(outputs.len(), 2, "both documents have failed");
    let rejected = fixture.text("SELECT outcome FROM document_inbox WHERE detail LIKE 'undecodable: %'");
    assert_eq!(rejected.await, "rejected, rejected");
    assert_eq!(fixture.text("SELECT state FROM documents").await, "failed, failed");
}

#[tokio::test]
async fn a_late_failure_leaves_what_has_begun_alone() {
    let fixture = Fixture::new().await;
    let (begun, late) = (structural(), structural());
    let (_, pages) = fixture.begin(&begun).await;
    // Another document could not be planned, so the message that was to begin both was given up.
    let rejection = Rejection { code: "attempts_used_up".to_owned(), reason: "No plan.".to_owned() };
    let ready = v1::DocumentReady { phase: INDEXED.into(), ..v1::DocumentReady::default() };
    let outputs = fixture.planner.reject_ready(&fixture.scope, fixture.work(&ready), &rejection).await.unwrap();
    assert_eq!(outputs, []);
    let again = fixture.request(&begun).await.unwrap();
    assert_eq!(slugs(&again), pages, "a repeat asks for the pages again");
    assert_eq!(transitions(&again), [format!("planned {}", pages.len())]);
    let failed = fixture.request(&late).await.unwrap();
    assert_eq!(transitions(&failed), ["completed 0/0 run_failed: No plan."]);
}

#[tokio::test]
async fn malformed_requests_and_deleted_repositories() {
    let fixture = Fixture::new().await;
    let bad = v1::DocumentRequested::default();
    assert!(matches!(fixture.request(&bad).await, Err(Failure::Reject { code: "bad_request", .. })));
    sqlx::query("DELETE FROM repositories").execute(fixture.database.pool()).await.unwrap();
    assert_eq!(fixture.half(ANALYSED, None).await, Err(Failure::Cancelled));
    assert_eq!(fixture.request(&structural()).await, Err(Failure::Cancelled));
}

#[tokio::test]
async fn the_two_halves_and_the_request_at_the_same_time() {
    for _ in 0..5 {
        let fixture = Fixture::new().await;
        let message = structural();
        let (a, b, c) =
            tokio::join!(fixture.half(ANALYSED, None), fixture.request(&message), fixture.half(INDEXED, None));
        let begun = [a, b, c].into_iter().filter(|outputs| !outputs.as_ref().unwrap().is_empty()).count();
        assert!(begun >= 1, "somebody was last");
        assert_eq!(fixture.text("SELECT state FROM documents").await, "writing");
    }
}
