//! Pages written by a model from a prompt template.

use std::time::{Duration, Instant};

use caffeine_bus::Failure;
use caffeine_doc_writer::markdown::check;
use caffeine_sendgate::{EgressPolicy, SendGate};
use caffeine_testkit::eventually;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, LEASE, slugs, template, transitions};
use crate::model::{Model, Reply};

const SOON: Duration = Duration::from_secs(20);

const BODY: &str = "Document this {language} code, {style}:\n\n{code}\n\nKeep {\"json\": {x}}.";

#[tokio::test]
async fn an_answer_becomes_a_checked_page() {
    let answer =
        "# Pool\n\n`Pool` hands out connections [[S1]]. <script>x</script> ![p](https://evil.example/p) [[S99]]\n";
    let model = Model::start(vec![Reply::answer(answer)]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, pages) = fixture.begin(&template(BODY)).await;
    assert_eq!(pages, ["index"]);
    let end = fixture.page(document, "index").await.unwrap();
    assert_eq!(transitions(&end.outputs), ["completed 0/1"]);

    let markdown = fixture.markdown(document, "index").await;
    assert_eq!(check(&markdown), [], "{markdown}");
    for words in ["`Pool` hands out connections [`", "## Sources", "model `model-1`", "1 citation of a source that"] {
        assert!(markdown.contains(words), "{words} in\n{markdown}");
    }
    assert!(!markdown.contains("evil.example") && !markdown.contains("S99"), "{markdown}");
    assert_eq!(fixture.text("SELECT count(*)::text FROM citations").await, "1");

    let calls = model.calls();
    assert_eq!(calls.len(), 1);
    let sent = calls[0].to_string();
    assert!(sent.contains("Document this rust code, terse {code}:"), "values are not read again: {sent}");
    assert!(sent.contains("Keep {\\\"json\\\": {x}}."), "unknown braces stay: {sent}");
    assert!(sent.contains("S1 ") && sent.contains("| "), "passages have ids and line numbers: {sent}");
    assert!(sent.contains("pub fn acquire(&self)"), "the question finds its code: {sent}");
    assert!(!sent.contains("SECRET"), "secret files never leave: {sent}");
    assert_eq!(calls[0]["stream"], true);

    let ledger = "SELECT state || ' ' || model || ' ' || input_tokens || ' ' || output_tokens || ' ' || stop_reason FROM llm_calls";
    assert_eq!(fixture.text(ledger).await, "done model-1 120 42 end_turn");
    let sources =
        fixture.text("SELECT DISTINCT s->>'path' FROM llm_calls, jsonb_array_elements(sources) s ORDER BY 1").await;
    assert!(sources.contains("src/lib.rs") && !sources.contains(".env"), "{sources}");
}

#[tokio::test]
async fn a_stored_answer_is_used_again_and_nobody_is_asked() {
    let model = Model::start(vec![Reply::answer("# A\n\nOne [[S1:1]].\n")]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    let first = fixture.page(document, "index").await.unwrap();
    let rows = fixture.dump().await;
    assert_eq!(fixture.page(document, "index").await.unwrap(), first);
    assert_eq!(fixture.dump().await, rows);
    let markdown = fixture.markdown(document, "index").await;
    // As after a crash between answer and page.
    for statement in ["DELETE FROM revisions", "UPDATE pages SET state = 'requested', published_revision = NULL"] {
        sqlx::query(statement).execute(fixture.database.pool()).await.unwrap();
    }
    assert_eq!(fixture.page(document, "index").await.unwrap(), first);
    assert_eq!(fixture.markdown(document, "index").await, markdown);
    assert_eq!(fixture.dump().await, rows);
    assert_eq!(model.calls().len(), 1);
}

#[tokio::test]
async fn two_copies_of_a_page_request_pay_once() {
    let model = Model::start(vec![Reply::Late(LEASE * 3, "# A\n\nOne [[S1:1]].\n".to_owned())]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    let other_pod = fixture.writer_with(model.gate.clone());
    let copy = async {
        eventually(SOON, || async { model.calls().len() == 1 }).await;
        // The answer takes longer than a lease lasts, so this holds only while the asker keeps it.
        let (asked, mut waited) = (Instant::now(), Duration::ZERO);
        loop {
            match fixture.page_by(&other_pod, document, "index").await {
                Err(Failure::HandBack { .. }) => waited = asked.elapsed(),
                end => return (end, waited),
            }
            tokio::time::sleep(LEASE / 5).await;
        }
    };
    let (first, (second, waited)) = tokio::join!(fixture.page(document, "index"), copy);
    assert_eq!(first.unwrap(), second.unwrap());
    assert!(waited > LEASE, "the copy was told to wait until {waited:?} after the question");
    assert_eq!(model.calls().len(), 1);
    assert_eq!(fixture.text("SELECT state || (holder IS NULL)::text FROM llm_calls").await, "donetrue");
}

#[tokio::test]
async fn the_question_of_a_dead_process_is_asked_again() {
    let late = Reply::Late(SOON, String::new());
    let model = Model::start(vec![late, Reply::answer("# A\n\nOne [[S1:1]].\n")]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    {
        let dies = fixture.page(document, "index");
        let asked = eventually(SOON, || async { model.calls().len() == 1 });
        tokio::pin!(dies);
        tokio::select! {
            end = &mut dies => panic!("the model never answered: {end:?}"),
            () = asked => {}
        }
    }
    let died = Instant::now();
    let other_pod = fixture.writer_with(model.gate.clone());
    while let Err(failure) = fixture.page_by(&other_pod, document, "index").await {
        assert!(matches!(failure, Failure::HandBack { .. }) && died.elapsed() < SOON, "{failure:?}");
        tokio::time::sleep(LEASE / 10).await;
    }
    assert_eq!(model.calls().len(), 2);
    assert!(fixture.markdown(document, "index").await.starts_with("# A"));
}

#[tokio::test]
async fn a_cancelled_question_keeps_nobody_waiting() {
    let late = Reply::Late(SOON, String::new());
    let model = Model::start(vec![late, Reply::answer("# A\n\nOne [[S1:1]].\n")]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    let cancelled = CancellationToken::new();
    let stop = async {
        eventually(SOON, || async { model.calls().len() == 1 }).await;
        cancelled.cancel();
    };
    let (stopped, ()) = tokio::join!(fixture.page_until(&cancelled, document, "index"), stop);
    assert!(matches!(stopped, Err(Failure::HandBack { .. })), "{stopped:?}");
    fixture.page(document, "index").await.unwrap();
    assert_eq!(model.calls().len(), 2);
}

/// One fault, and what it means for the page.
async fn check_fault(reply: Reply, expected: &str) {
    let model = Model::start(vec![reply]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    let said = match fixture.page(document, "index").await {
        Err(Failure::Reject { code, .. }) => code.to_owned(),
        Err(Failure::Retry { reason, .. }) => format!("retry: {reason}"),
        Err(Failure::HandBack { after }) => format!("uncounted, after {} s", after.as_secs()),
        other => format!("{other:?}"),
    };
    assert_eq!(said, expected);
    assert_eq!(fixture.text("SELECT state FROM llm_calls WHERE error IS NOT NULL").await, "failed");
    assert_eq!(fixture.text("SELECT state FROM pages").await, "requested", "the bus decides what follows");
}

#[tokio::test]
async fn faults_are_told_apart() {
    check_fault(Reply::Fault(401, "authentication_error"), "model_key").await;
    check_fault(Reply::Fault(500, "api_error"), "retry: The model did not answer: provider fault.").await;
    check_fault(Reply::Fault(429, "rate_limit_error"), "uncounted, after 20 s").await;
    check_fault(Reply::Fault(529, "overloaded_error"), "uncounted, after 20 s").await;
    check_fault(Reply::Fault(400, "invalid_request_error"), "model_rejected").await;
    check_fault(Reply::Answer("No.".to_owned(), "refusal"), "model_declined").await;
}

#[tokio::test]
async fn a_rejected_page_ends_the_document() {
    let model = Model::start(vec![]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    fixture.page(document, "index").await.unwrap_err();
    let end = fixture.reject_page(document, "index", "The provider rejected it.").await;
    assert_eq!(transitions(&end.outputs), ["completed 1/1 no_page_written: The provider rejected it."]);
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_with_more_room() {
    let model =
        Model::start(vec![Reply::Answer("# Half".to_owned(), "max_tokens"), Reply::answer("# Whole\n\nAll [[S1]].\n")])
            .await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template(BODY)).await;
    fixture.page(document, "index").await.unwrap();
    let limits: Vec<u64> = model.calls().iter().map(|call| call["max_tokens"].as_u64().unwrap()).collect();
    assert_eq!(limits, [1_000, 2_000]);
    assert!(fixture.markdown(document, "index").await.starts_with("# Whole"));
    assert_eq!(fixture.text("SELECT state FROM llm_calls ORDER BY state").await, "done, failed");
}

#[tokio::test]
async fn a_template_without_a_slot_sends_no_code() {
    let model = Model::start(vec![Reply::answer("# T\n\nNothing.\n")]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let (document, _) = fixture.begin(&template("Say hello.")).await;
    fixture.page(document, "index").await.unwrap();
    assert!(!model.calls()[0].to_string().contains("acquire(&self)"));
    assert_eq!(fixture.text("SELECT sources::text FROM llm_calls").await, "[]");
}

#[tokio::test]
async fn a_closed_gate_after_the_plan_fails_the_page() {
    let model = Model::start(vec![]).await;
    let fixture = Fixture::with_gate(model.gate.clone()).await;
    let message = template(BODY);
    fixture.request(&message).await.unwrap();
    let (document, _) = fixture.begin(&message).await;
    let closed = SendGate::new(EgressPolicy::None, None);
    let writer = fixture.writer_with(closed);
    let page = fixture.page_by(&writer, document, "index").await;
    assert!(matches!(page, Err(Failure::Reject { code: "no_model", .. })), "{page:?}");
    assert_eq!(slugs(&fixture.half(caffeine_contract::v1::Phase::Indexed, None).await.unwrap()), ["index"]);
    assert_eq!(model.calls().len(), 0);
}
