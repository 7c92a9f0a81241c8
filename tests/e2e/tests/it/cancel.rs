//! A run is cancelled at every stage. Nothing of it is written five seconds later, its messages are gone, and the next
//! run of the ref completes.
//!
//! A stage is held where the world holds stages: nobody reads its consumer, a table lets nobody write, the host or the
//! model is silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::git::ServedRepo;
use caffeine_testkit::{eventually, repository_rows};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::fixture;

const SOON: Duration = Duration::from_secs(60);
/// The word that is to be kept: nothing is written later than this after a cancel.
const QUIET_AFTER: Duration = Duration::from_secs(5);
/// How long it is then watched.
const WATCHED: Duration = Duration::from_secs(3);

fn structural() -> Value {
    json!([{ "writer": "structural" }])
}

async fn cancel(stack: &Stack, run: Uuid) {
    let (status, run) = stack.api.post(&format!("/runs/{run}/cancel"), &json!({})).await;
    assert_eq!((status, &run["state"]), (202, &json!("cancelled")), "{run}");
    for document in run["documents"].as_array().expect("documents") {
        assert_eq!(document["state"], "cancelled");
    }
}

/// The oracle: from now on, no row of these repositories changes, their runs stay cancelled, the streams are empty, and
/// the next run of each completes.
async fn is_over(stack: &Stack, cancelled: &[(Uuid, Uuid)]) {
    let rows = async || {
        let mut rows = Vec::new();
        for (repository, _) in cancelled {
            rows.push(repository_rows(stack.database.pool(), *repository).await.expect("the rows can be read"));
        }
        rows
    };
    let before = rows().await;
    // Time is what is promised, so it is waited for.
    tokio::time::sleep(WATCHED).await;
    assert!(rows().await == before, "a row of a cancelled run was written");
    eventually(SOON, || async { stack.pending().await == 0 }).await;
    assert!(rows().await == before, "emptying the streams wrote a row of a cancelled run");
    assert_eq!(stack.stored("DEAD").await, 0);
    for (repository, run) in cancelled {
        assert_eq!(stack.api.run(*run).await.0, "cancelled");
        let (status, next) = stack.api.post(&format!("/repositories/{repository}/runs"), &json!({})).await;
        assert_eq!(status, 201, "{next}");
        let next: Uuid = next["id"].as_str().and_then(|id| id.parse().ok()).expect("a run");
        assert_eq!(stack.ended(next, Duration::from_secs(150)).await, "completed");
    }
}

/// Tells the broker to give a consumer's messages to nobody, or to somebody again.
async fn pause(stack: &Stack, stream: &str, durable: &str, paused: bool) {
    let until = if paused { r#"{"pause_until":"2999-01-01T00:00:00Z"}"# } else { "{}" };
    let subject = format!("$JS.API.CONSUMER.PAUSE.{}_{stream}.{durable}", stack.bus.prefix());
    let answer = stack.bus.client().request(subject, until.into()).await.expect("the broker answers");
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(answer["paused"], paused, "{answer}");
}

async fn waiting(stack: &Stack, stream: &str, durable: &str) -> u64 {
    let stream = format!("{}_{stream}", stack.bus.prefix());
    let consumer: async_nats::jetstream::consumer::PullConsumer =
        stack.bus.jetstream().get_consumer_from_stream(durable, stream).await.expect("provisioned");
    consumer.cached_info().num_pending
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_work_waits() {
    const STAGES: [(&str, &str); 6] = [
        ("CLONE", "cloner"),
        ("FILES", "chunker-i"),
        ("LINK", "linker-i"),
        ("CHUNKS", "embedder-i"),
        ("PLANS", "planner"),
        ("PAGES", "writer-i"),
    ];
    let git = fixture::repository();
    let mut served = Vec::new();
    for _ in STAGES {
        served.push(git.serve().await);
    }
    let hosts = served.iter().map(ServedRepo::host).collect();
    let stack = Stack::start(StackOptions { allow_hosts: hosts, ..StackOptions::default() }).await;
    let mut cancelled = Vec::new();
    for ((stream, durable), served) in STAGES.into_iter().zip(&served) {
        pause(&stack, stream, durable, true).await;
        let (repository, run) = stack.api.add(&served.url(), &structural()).await;
        eventually(SOON, || async { waiting(&stack, stream, durable).await > 0 }).await;
        cancel(&stack, run).await;
        pause(&stack, stream, durable, false).await;
        eventually(SOON, || async { stack.pending().await == 0 }).await;
        cancelled.push((repository, run));
    }
    tokio::time::sleep(QUIET_AFTER).await;
    is_over(&stack, &cancelled).await;
}

/// Cancels runs whose stage waits for a table, and keeps the table until after the time that is promised.
async fn while_it_writes(tables: &[&str]) {
    let git = fixture::repository();
    let mut served = Vec::new();
    for _ in tables {
        served.push(git.serve().await);
    }
    let hosts = served.iter().map(ServedRepo::host).collect();
    let stack = Stack::start(StackOptions { allow_hosts: hosts, ..StackOptions::default() }).await;
    let mut cancelled = Vec::new();
    for (table, served) in tables.iter().zip(&served) {
        let mut held = stack.database.pool().begin().await.expect("a transaction");
        let lock = format!("LOCK TABLE {table} IN SHARE MODE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut *held).await.expect("the lock");
        let (repository, run) = stack.api.add(&served.url(), &structural()).await;
        eventually(SOON, || async {
            let blocked = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)";
            sqlx::query_scalar(blocked).bind(*table).fetch_one(stack.database.pool()).await.expect("locks")
        })
        .await;
        cancel(&stack, run).await;
        tokio::time::sleep(QUIET_AFTER).await;
        let before = repository_rows(stack.database.pool(), repository).await.expect("rows");
        held.rollback().await.expect("the lock is given back");
        eventually(SOON, || async { stack.pending().await == 0 }).await;
        let after = repository_rows(stack.database.pool(), repository).await.expect("rows");
        assert!(after == before, "{table}: the stage went on when it could");
        cancelled.push((repository, run));
    }
    is_over(&stack, &cancelled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_stages_write() {
    while_it_writes(&["snapshot_files", "file_versions", "embedded_versions"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_last_stages_write() {
    while_it_writes(&["edges", "pages", "revisions"]).await;
}

/// A server between the cloner and the git host that falls silent in the middle of a pack.
async fn stalling(host: String) -> (String, Arc<AtomicBool>) {
    /// Longer than what the host says about its refs, shorter than the pack.
    const LET_THROUGH: usize = 3_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    let stalls = Arc::new(AtomicBool::new(true));
    let stall = Arc::clone(&stalls);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&host).await.expect("the git server answers");
            let stall = Arc::clone(&stall);
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let (mut sent, mut buffer) = (0, vec![0; 4096]);
                while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                    if stall.load(Ordering::SeqCst) && sent + read > LET_THROUGH {
                        // As long as the other side keeps the connection.
                        std::future::pending::<()>().await;
                    }
                    sent += read;
                    if to_client.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, stalls)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_host_is_silent() {
    let git = fixture::repository();
    let served = git.serve().await;
    let (host, stalls) = stalling(served.host()).await;
    let stack = Stack::start(StackOptions::with_host(host.clone())).await;
    let url = served.url().replace(&served.host(), &host);
    let (repository, run) = stack.api.add(&url, &structural()).await;
    eventually(SOON, || async { stack.api.run(run).await.0 == "cloning" && stack.mirrors() == 1 }).await;
    // In the middle of the fetch; the message is held, not waiting.
    assert_eq!(waiting(&stack, "CLONE", "cloner").await, 0);
    cancel(&stack, run).await;
    eventually(SOON, || async { stack.pending().await == 0 }).await;
    stalls.store(false, Ordering::SeqCst);
    is_over(&stack, &[(repository, run)]).await;
}

/// A model that begins its answer and falls silent.
async fn silent_model() -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let asked = Arc::new(AtomicBool::new(false));
    let notes = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            tokio::spawn(async move {
                let mut request = vec![0; 65_536];
                let _ = connection.read(&mut request).await;
                let begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: message_start\ndata: \
                    {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\
                    \"content\":[],\"model\":\"m\",\"stop_reason\":null,\"usage\":{\"input_tokens\":1,\
                    \"output_tokens\":1}}}\n\n";
                let _ = connection.write_all(begin.as_bytes()).await;
                notes.store(true, Ordering::SeqCst);
                // Until the client hangs up.
                while let Ok(1..) = connection.read(&mut request).await {}
                notes.store(false, Ordering::SeqCst);
            });
        }
    });
    (format!("http://{address}"), asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_model_writes() {
    let (model, asked) = silent_model().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = folder.path().join("key");
    std::fs::write(&key, "not-a-real-key").expect("the key can be written");
    let git = fixture::repository();
    let served = git.serve().await;
    let stack = Stack::start(StackOptions {
        variables: vec![
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_BASE_URL".to_owned(), model),
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_API_KEY_FILE".to_owned(), key.display().to_string()),
        ],
        ..StackOptions::with_host(served.host())
    })
    .await;
    let (_, templates) = stack.api.get("/prompts").await;
    let documents = json!([{ "writer": "template", "template_id": templates["items"][0]["id"] }]);
    let (repository, run) = stack.api.add(&served.url(), &documents).await;
    eventually(SOON, || async { asked.load(Ordering::SeqCst) }).await;
    cancel(&stack, run).await;
    eventually(SOON, || async { stack.pending().await == 0 && !asked.load(Ordering::SeqCst) }).await;
    is_over(&stack, &[(repository, run)]).await;
}
