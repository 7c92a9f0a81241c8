//! A template document, written through somebody else's implementation of the Messages API.

use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use serde_json::json;

use crate::faults::model::FakeModel;
use crate::fixture;

#[tokio::test(flavor = "multi_thread")]
async fn a_template_run_ends_in_a_readable_document() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let answer =
        "# Addition\n\nThe function `add` returns the sum of its arguments [[S1]].\n\n<script>alert(1)</script>\n";
    let model = FakeModel::start(folder.path(), answer).await;
    let repository = fixture::repository();
    let served = repository.serve().await;
    let key = folder.path().join("key");
    std::fs::write(&key, "not-a-real-key").expect("the key can be written");
    let stack = Stack::start(StackOptions {
        variables: vec![
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_BASE_URL".to_owned(), model.url().to_owned()),
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_API_KEY_FILE".to_owned(), key.display().to_string()),
        ],
        ..StackOptions::with_host(served.host())
    })
    .await;

    let (status, templates) = stack.api.get("/prompts").await;
    assert_eq!(status, 200);
    let template = templates["items"][0]["id"].as_str().expect("one template is built in").to_owned();
    let documents =
        json!([{ "writer": "template", "template_id": template, "style": "terse", "query": "add two numbers" }]);
    let run = stack.api.submit_for(&served.url(), &documents).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");

    let (_, answer) = stack.api.run(run).await;
    let document = answer["documents"][0]["id"].as_str().expect("the run has a document");
    let page = stack.api.text(&format!("/documents/{document}/pages/index.md")).await;
    assert!(page.contains("returns the sum of its arguments"), "{page}");
    assert!(page.contains("](sources/"), "the source id became a citation: {page}");
    assert!(!page.contains("<script>"), "{page}");
    // The ledger holds the answer as it came, so that it is never paid for twice.
    let dump = stack.dump(run).await;
    assert!(dump.contains("== llm_calls\n") && dump.contains("alert(1)"), "{dump}");
}
