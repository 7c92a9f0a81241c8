//! Dead letters from the administrator's page to their end.

use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::eventually;
use serde_json::json;
use uuid::Uuid;

use crate::fixture;

/// Writes a dead letter of a run as the chunker does; its number.
async fn bury(stack: &Stack, workspace: Uuid, repository: &str, run: Uuid) -> u64 {
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in [
        ("Caffeine-Kind", "files.batch"),
        ("Caffeine-Workspace", &workspace.to_string()),
        ("Caffeine-Repository", repository),
        ("Caffeine-Run", &run.to_string()),
        ("Caffeine-Key", "0"),
        ("Caffeine-Generation", "0"),
        ("Caffeine-Lane", "interactive"),
        ("Caffeine-Analyser", caffeine_model::ANALYSER),
        ("Caffeine-Embedding-Model", caffeine_model::EMBEDDING_MODEL),
        ("Caffeine-Dead-Code", "too_odd"),
        ("Caffeine-Dead-Reason", "It was too odd."),
    ] {
        headers.insert(name, value);
    }
    let subject = format!("{}.caffeine.v1.dead.chunker.{workspace}.{repository}", stack.bus.prefix());
    let stored = stack.bus.jetstream().publish_with_headers(subject, headers, "".into()).await.expect("publish");
    stored.await.expect("the stream takes it").sequence
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sends_a_letter_again_and_drops_another() {
    let repository = fixture::repository();
    let served = repository.serve().await;
    let options = StackOptions { identities: true, housekeeper: true, ..StackOptions::with_host(served.host()) };
    let stack = Stack::start(options).await;
    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    let (_, view) = stack.api.get(&format!("/runs/{run}")).await;
    let repository = view["repository_id"].as_str().expect("an identifier");
    let workspace: Uuid = sqlx::query_scalar("SELECT workspace_id FROM runs")
        .fetch_one(stack.database.pool())
        .await
        .expect("there is a run");

    let (status, queues) = stack.api.get("/admin/queues").await;
    assert_eq!(status, 200, "{queues}");
    let again = bury(&stack, workspace, repository, run).await;
    let dropped = bury(&stack, workspace, repository, run).await;
    let left = || async { stack.api.get("/admin/dead-letters").await.1["items"].as_array().map_or(9, Vec::len) };
    assert_eq!(left().await, 2);
    let (status, _) = stack.api.post(&format!("/admin/dead-letters/{again}/redeliver"), &json!({})).await;
    assert_eq!(status, 202);
    eventually(Duration::from_secs(30), || async { left().await == 1 }).await;
    // The run has ended, so another one does what is missing.
    let runs = || async { stack.api.get("/runs").await.1["items"].as_array().map_or(0, Vec::len) };
    eventually(Duration::from_secs(30), || async { runs().await == 2 }).await;

    let url = format!("{}/api/v1/admin/dead-letters/{dropped}", stack.api.base());
    let http = reqwest::Client::new();
    let answered = http.delete(url).bearer_auth(stack.api.token()).send().await.expect("the gateway answers");
    assert_eq!(answered.status().as_u16(), 202);
    eventually(Duration::from_secs(30), || async { left().await == 0 }).await;
    assert_eq!(stack.api.get(&format!("/admin/dead-letters/{dropped}")).await.0, 404);
    assert_eq!(runs().await, 2, "what is dropped causes nothing");
}
