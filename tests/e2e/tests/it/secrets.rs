//! Secrets are planted wherever a person could put one, runs fail and succeed with them, and then they are looked for:
//! in every log, row, message and file, and in what the gateway answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_sealed::PrivateKey;
use caffeine_testkit::TlsFront;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::fixture;

const TOKEN: &str = "planted-token-4e1b7c";
const WRONG: &str = "planted-wrong-93d0aa";
const REPLACED: &str = "planted-first-b62f18";
const IN_URL: &str = "planted-url-77c5e2";

/// Everything that was ever published, in clear.
async fn listen(stack: &Stack) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let client = stack.bus.client().clone();
    let subject = format!("{}.caffeine.v1.>", stack.bus.prefix());
    let mut published = client.subscribe(subject).await.expect("subscribe to the prefix");
    client.flush().await.expect("the subscription is active");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(message) = published.next().await {
            let mut bytes = format!("{} {:?} ", message.subject, message.headers).into_bytes();
            bytes.extend_from_slice(&message.payload);
            notes.lock().unwrap().push(bytes);
        }
    });
    heard
}

/// Every row of every table as text; bytes are in hexadecimal digits.
async fn rows(stack: &Stack) -> Vec<Vec<u8>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .fetch_all(stack.database.pool())
    .await
    .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let query = format!("SELECT to_jsonb(t)::text FROM {table} t");
        let found: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(stack.database.pool()).await.unwrap();
        rows.extend(found.into_iter().map(|row| format!("{table} {row}").into_bytes()));
    }
    rows
}

/// What is stored in the streams now.
async fn stored(stack: &Stack) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for name in ["CLONE", "FILES", "LINK", "CHUNKS", "PLANS", "PAGES", "STATE", "DEAD"] {
        let stream = stack.bus.jetstream().get_stream(format!("{}_{name}", stack.bus.prefix())).await.unwrap();
        let state = &stream.cached_info().state;
        for sequence in state.first_sequence..=state.last_sequence {
            if let Ok(message) = stream.get_raw_message(sequence).await {
                messages.push(message.payload.to_vec());
            }
        }
    }
    messages
}

/// Every file below a folder: logs, mirrors, whatever a service wrote.
fn files(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
}

fn has(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn ssh_key(folder: &Path) -> String {
    let file = folder.join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    std::fs::read_to_string(file).unwrap()
}

/// Stores a credential and returns its identifier.
async fn credential(stack: &Stack, body: &Value) -> String {
    let (status, answer) = stack.api.post("/credentials", body).await;
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn submit(stack: &Stack, url: &str, credential: &str) -> uuid::Uuid {
    let (status, answer) = stack.api.post("/repositories", &json!({ "url": url, "credential": credential })).await;
    assert!(status == 201 || status == 200, "{status}: {answer}");
    answer["run"]["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_secret_is_found_nowhere() {
    let repository = fixture::repository();
    let served = repository.serve_private("ada", TOKEN).await;
    let front = TlsFront::before(served.host().rsplit_once(':').unwrap().1.parse().unwrap()).await;
    let key = PrivateKey::generate();
    let elsewhere = tempfile::tempdir().unwrap();
    let key_file = elsewhere.path().join("credential-key");
    std::fs::write(&key_file, &*key.expose()).unwrap();
    let options = StackOptions {
        allow_hosts: vec![front.host(), served.host()],
        variables: vec![
            ("CAFFEINE_CLONER_CREDENTIAL_KEY_FILE".to_owned(), key_file.display().to_string()),
            ("CAFFEINE_GATEWAY_CREDENTIAL_PUBLIC_KEY".to_owned(), key.public().to_string()),
            ("CAFFEINE_LOG".to_owned(), "debug".to_owned()),
        ],
        ..StackOptions::default()
    };
    let stack = Stack::start(options).await;
    let heard = listen(&stack).await;
    let url = format!("https://{}/repo.git", front.host());
    let ssh_key = ssh_key(elsewhere.path());

    // What is handed in.
    let token = |name: &str, token: &str| {
        let authority = front.authority();
        json!({ "name": name, "host": front.host(), "token": { "user": "ada", "token": token }, "authority": authority })
    };
    let good = credential(&stack, &token("good", REPLACED)).await;
    let body = json!({ "token": { "user": "ada", "token": TOKEN }, "authority": front.authority() });
    let replaced = reqwest::Client::new()
        .put(format!("{}/api/v1/credentials/{good}", stack.api.base()))
        .bearer_auth(stack.api.token())
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(replaced.status().as_u16(), 200);
    let wrong = credential(&stack, &token("wrong", WRONG)).await;
    let body = json!({ "name": "key", "host": front.host(), "ssh_key": {
        "private_key": ssh_key, "known_hosts": format!("[127.0.0.1]:{} ssh-ed25519 AAAA", front.port()),
    } });
    let deploy = credential(&stack, &body).await;

    // A run that succeeds with it, one that fails with it, one over ssh that reaches no sshd.
    let run = submit(&stack, &url, &good).await;
    assert_eq!(stack.ended(run, Duration::from_secs(180)).await, "completed", "a private repository is documented");
    let failed = submit(&stack, &format!("{url}/"), &wrong).await;
    assert_eq!(stack.ended(failed, Duration::from_secs(120)).await, "failed");
    let (_, answer) = stack.api.run(failed).await;
    assert!(answer.to_string().contains("does not accept the stored credential"), "{answer}");
    let over_ssh = submit(&stack, &format!("ssh://git@{}/repo.git", front.host()), &deploy).await;
    assert_eq!(stack.ended(over_ssh, Duration::from_secs(120)).await, "failed");

    // Addresses that hold one are refused, whatever their form, and not quoted.
    let mut answers = vec![stack.api.text("/credentials").await, stack.api.text("/repositories").await];
    for address in [
        format!("https://ada:{IN_URL}@{}/repo.git", front.host()),
        format!("https://{IN_URL}@{}/repo.git", front.host()),
        format!("https://{}/repo.git?token={IN_URL}", front.host()),
        format!("ssh://git:{IN_URL}@{}/repo.git", front.host()),
        format!("ext::{IN_URL}"),
    ] {
        for body in [json!({ "url": address }), json!({ "url": address, "credential": deploy })] {
            let (status, answer) = stack.api.post("/repositories", &body).await;
            assert_eq!(status, 422, "{address}: {answer}");
            answers.push(answer.to_string());
        }
    }

    // Now look.
    let header = "YWRhOnBsYW50ZWQt";
    let key_line = ssh_key.lines().nth(2).unwrap().to_owned();
    let clear = [TOKEN, WRONG, REPLACED, IN_URL, header, &key_line, &key.expose()];
    let needles: Vec<String> =
        clear.iter().flat_map(|text| [(*text).to_owned(), hex::encode(text.as_bytes())]).collect();
    let mut disk = Vec::new();
    files(stack.logs(), &mut disk);
    let mut places: Vec<(String, Vec<u8>)> =
        disk.into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)).collect();
    places.extend(rows(&stack).await.into_iter().map(|row| ("a row".to_owned(), row)));
    places.extend(stored(&stack).await.into_iter().map(|message| ("a stored message".to_owned(), message)));
    places.extend(heard.lock().unwrap().iter().map(|message| ("a message".to_owned(), message.clone())));
    places.extend(answers.into_iter().map(|answer| ("an answer".to_owned(), answer.into_bytes())));

    // The search finds what is there: the address is in a log, a row, a message and an answer.
    for place in ["caffeine-cloner.log", "a row", "a message", "an answer"] {
        let found = places.iter().any(|(name, bytes)| name.ends_with(place) && has(bytes, &front.host()));
        assert!(found, "the address is to be found in {place}, or this test finds nothing anywhere");
    }
    for (place, bytes) in &places {
        for needle in &needles {
            assert!(!has(bytes, needle), "{needle} is in {place}: {}", String::from_utf8_lossy(bytes));
        }
    }
}
