//! A template document, written through somebody else's implementation of the Messages API.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::eventually;
use serde_json::json;

use crate::fixture;

/// A running `llmock` (npm `@copilotkit/aimock`), ended when dropped.
pub(crate) struct FakeModel {
    child: Child,
    url: String,
}

impl FakeModel {
    /// Answers every question with `answer`, streamed in pieces of twenty characters.
    pub(crate) async fn start(folder: &Path, answer: &str) -> Self {
        let fixtures = folder.join("fixtures.json");
        let text = json!({ "fixtures": [{ "match": {}, "response": { "content": answer } }] }).to_string();
        std::fs::write(&fixtures, text).expect("the fixtures can be written");
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
            listener.local_addr().expect("a bound socket has an address").port()
        };
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fakes/node_modules/.bin/llmock");
        let child = Command::new(&program)
            .args(["--port", &port.to_string(), "--strict", "--log-level", "warn", "--fixtures"])
            .arg(&fixtures)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} starts: {error}; `make setup` installs it", program.display()));
        let fake = Self { child, url: format!("http://127.0.0.1:{port}") };
        eventually(Duration::from_secs(30), || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        fake
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
