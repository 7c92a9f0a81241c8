//! Follows a run's events until it has ended.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;

use crate::document::client::Client;
use crate::document::progress::Progress;

/// The largest event that is read; a longer one is no event of ours.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// A run that has ended, as the gateway describes it.
pub(crate) struct Finished {
    /// The answer of `GET /runs/{id}`.
    pub(crate) run: Value,
}

impl Finished {
    /// Whether there is nothing to export.
    pub(crate) fn is_failure(&self) -> bool {
        !matches!(self.run["state"].as_str(), Some("completed" | "completed_with_errors"))
    }

    /// Why the run failed.
    pub(crate) fn failure(&self) -> String {
        let reason = self.run.pointer("/failure/reason").and_then(Value::as_str);
        let state = self.run["state"].as_str().unwrap_or("unknown");
        reason.map_or_else(|| format!("the run ended as {state}"), str::to_owned)
    }
}

/// Shows progress until the run has ended. A broken stream is opened again where it ended.
pub(crate) async fn follow(client: &Client, run: &str) -> anyhow::Result<Finished> {
    let mut progress = Progress::new();
    let mut last = None;
    loop {
        let mut events = client.events(run, last.as_deref()).await?.bytes_stream();
        let mut buffer = Vec::new();
        while let Some(Ok(bytes)) = events.next().await {
            buffer.extend_from_slice(&bytes);
            while let Some(end) = find(&buffer, b"\n\n") {
                let event: Vec<u8> = buffer.drain(..end + 2).collect();
                show(&mut progress, &mut last, &String::from_utf8_lossy(&event));
            }
            if buffer.len() > MAX_EVENT_BYTES {
                break;
            }
        }
        let answer: Value = client.get(&format!("runs/{run}")).await?;
        if answer["ended_at"].is_string() {
            progress.close();
            return Ok(Finished { run: answer });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One event: `id`, `event` and `data` lines.
fn show(progress: &mut Progress, last: &mut Option<String>, event: &str) {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if let Some(id) = field("id:") {
        *last = Some(id.to_owned());
    }
    let Some(data) = field("data:").and_then(|data| serde_json::from_str::<Value>(data).ok()) else { return };
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    if field("event:") == Some("progress") {
        let stage = data["stage"].as_str().unwrap_or_default();
        progress.stage(stage, number(&data["done"]), number(&data["total"]), data["unit"].as_str().unwrap_or_default());
        return;
    }
    let payload = &data["payload"];
    let transition = data["transition"].as_str().unwrap_or_default();
    match transition.split('/').next().unwrap_or_default() {
        "planned" => progress.stage("clone", 0, number(&payload["batches"]), "batches"),
        "cloned" => progress.finished("clone", "all files sent"),
        "analysed" => progress.finished("analyse", &format!("{} symbols", number(&payload["symbols"]))),
        "indexed" => progress.finished("index", &format!("{} chunks", number(&payload["chunks"]))),
        "document_planned" => progress.stage("write", 0, number(&payload["pages"]), "pages"),
        "document_completed" => progress.finished("write", &format!("{} pages", number(&payload["pages"]))),
        _ => {}
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
