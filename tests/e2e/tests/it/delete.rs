//! A repository is deleted: no row, no mirror and no message of it is left, and nothing of another is touched.

use std::collections::BTreeMap;
use std::time::Duration;

use caffeine_bus::{Bus, BusConfig};
use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::{all_rows, eventually, repository_rows};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::faults::model::FakeModel;
use crate::fixture;

const SOON: Duration = Duration::from_secs(60);

/// Who did what stays in the log for good, and people are seen while they ask: neither is of a repository.
fn forget_people(rows: &mut BTreeMap<String, Vec<String>>) {
    for table in ["audit_entries", "users", "tokens"] {
        rows.remove(table);
    }
}

/// Whether any stored message but commands speaks of the repository or its run: its subject, headers or body.
async fn is_mentioned(stack: &Stack, ids: &[uuid::Uuid]) -> bool {
    for name in ["CLONE", "FILES", "LINK", "CHUNKS", "PLANS", "PAGES", "STATE", "EVENTS", "DEAD"] {
        let stream = stack.bus.jetstream().get_stream(format!("{}_{name}", stack.bus.prefix())).await;
        let stream = stream.expect("provisioned");
        let state = &stream.cached_info().state;
        for sequence in state.first_sequence..=state.last_sequence {
            // Gaps are messages that are gone.
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            let text = format!("{} {:?}", message.subject, message.headers);
            let found = |id: &uuid::Uuid| {
                text.contains(&id.to_string()) || message.payload.windows(16).any(|window| window == id.as_bytes())
            };
            if ids.iter().any(found) {
                return true;
            }
        }
    }
    false
}

/// What the housekeeper runs, with the rights of an administrator.
async fn housekeeper(stack: &Stack) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let config = BusConfig {
        url: stack.bus.url().to_owned(),
        prefix: stack.bus.prefix().to_owned(),
        name: "housekeeper".to_owned(),
        nkey: None,
    };
    let bus = Bus::connect(&config).await.expect("the broker takes connections");
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move { bus.purge_deleted(stopped).await.expect("provisioned") });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_documented_repository_is_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = FakeModel::start(folder.path(), "# Addition\n\nIt adds [[S1]].\n").await;
    let key = folder.path().join("key");
    std::fs::write(&key, "not-a-real-key").expect("the key can be written");
    let git = fixture::repository();
    let (kept, doomed) = (git.serve().await, git.serve().await);
    let stack = Stack::start(StackOptions {
        allow_hosts: vec![kept.host(), doomed.host()],
        variables: vec![
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_BASE_URL".to_owned(), model.url().to_owned()),
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_API_KEY_FILE".to_owned(), key.display().to_string()),
        ],
        ..StackOptions::default()
    })
    .await;
    let (stop, purger) = housekeeper(&stack).await;
    let (_, templates) = stack.api.get("/prompts").await;
    let documents = json!([
        { "writer": "structural" },
        { "writer": "template", "template_id": templates["items"][0]["id"], "query": "add two numbers" },
    ]);
    let (_, run) = stack.api.add(&kept.url(), &documents).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    eventually(SOON, || async { stack.pending().await == 0 }).await;
    let mut before = all_rows(stack.database.pool()).await.expect("rows");
    forget_people(&mut before);
    assert_eq!(stack.mirrors(), 1);

    // Fully documented, with a model and without; and in the middle of a second run.
    let (repository, run) = stack.api.add(&doomed.url(), &documents).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    let rows = repository_rows(stack.database.pool(), repository).await.expect("rows");
    for table in ["snapshots", "symbols", "chunks", "edges", "citations", "llm_calls", "document_inbox", "run_events"] {
        assert!(rows.contains_key(table), "{table} has rows of the repository");
    }
    assert!(is_mentioned(&stack, &[repository, run]).await, "its progress is stored");
    assert_eq!(stack.mirrors(), 2);
    let (_, second) = stack.api.add(&doomed.url(), &json!([])).await;

    let (status, _) = stack.api.delete(&format!("/repositories/{repository}")).await;
    assert_eq!(status, 202);
    eventually(SOON, || async { stack.api.delete(&format!("/repositories/{repository}")).await.0 == 404 }).await;
    eventually(SOON, || async { stack.mirrors() == 1 && stack.pending().await == 0 }).await;
    eventually(SOON, || async { !is_mentioned(&stack, &[repository, run, second]).await }).await;
    let mut after = all_rows(stack.database.pool()).await.expect("rows");
    forget_people(&mut after);
    for (table, rows) in &before {
        assert!(after.get(table) == Some(rows), "{table} is as it was before the repository was added");
    }
    assert_eq!(after.len(), before.len());
    assert_eq!(stack.stored("DEAD").await, 0);

    // The same address again is a new repository.
    let (anew, run) = stack.api.add(&doomed.url(), &json!([{ "writer": "structural" }])).await;
    assert_ne!(anew, repository);
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    stop.cancel();
    purger.await.expect("the purger ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_dies_while_it_deletes_goes_on() {
    let git = fixture::repository();
    let served = git.serve().await;
    let stack = Stack::start(StackOptions::with_host(served.host())).await;
    let rows = async || {
        let mut rows = all_rows(stack.database.pool()).await.expect("rows");
        // A start prolongs the administrator's token.
        forget_people(&mut rows);
        rows
    };
    let empty = rows().await;
    let (repository, run) = stack.api.add(&served.url(), &json!([{ "writer": "structural" }])).await;
    eventually(SOON, || async { !["queued", "pending"].contains(&stack.api.run(run).await.0.as_str()) }).await;
    // It says yes, and before anything is removed it is gone.
    let mut held = stack.database.pool().begin().await.expect("a transaction");
    let lock = "SELECT 1 FROM runs WHERE run_id = $1 FOR UPDATE";
    sqlx::query(lock).bind(run).execute(&mut *held).await.expect("the lock");
    assert_eq!(stack.api.delete(&format!("/repositories/{repository}")).await.0, 202);
    stack.services["gateway"].signal("KILL");
    held.rollback().await.expect("the lock is given back");
    eventually(SOON, || async { stack.api.is_up().await }).await;
    // A relay that died keeps its rows for a minute.
    eventually(SOON, || async { rows().await == empty && stack.mirrors() == 0 && stack.pending().await == 0 }).await;
}
