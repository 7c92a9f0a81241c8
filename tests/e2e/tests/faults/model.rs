//! Somebody else's implementation of the Messages API, which counts what it is asked.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use caffeine_testkit::{eventually, free_port};
use serde_json::json;

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
        let port = free_port().expect("loopback has a free port");
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

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Forgets what it was asked.
    pub(crate) async fn forget(&self) {
        let asked = reqwest::Client::new().post(format!("{}/__aimock/reset/journal", self.url)).send().await;
        let answer = asked.expect("the fake model answers");
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// How often it was asked since.
    pub(crate) async fn calls(&self) -> usize {
        let answer = reqwest::get(format!("{}/__aimock/journal", self.url)).await.expect("the fake model answers");
        let journal: serde_json::Value = answer.json().await.expect("the journal is JSON");
        let entries = journal.as_array().or_else(|| journal["entries"].as_array()).expect("the journal is a list");
        entries.iter().filter(|entry| entry["path"].as_str().is_some_and(|path| path.contains("/messages"))).count()
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
