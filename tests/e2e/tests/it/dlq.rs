//! `caffeine dlq` as an operator types it, on letters that a running system has buried.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions, program};
use caffeine_testkit::eventually;
use caffeine_testkit::git::GitFixture;
use uuid::Uuid;

use crate::fixture;

const PATIENCE: Duration = Duration::from_secs(120);
/// In a file's text, which is somebody's property.
const PLANTED: &str = "planted-content-51f0c9";

/// What the program said, and how it ended.
struct Said {
    code: i32,
    out: String,
    errors: String,
}

fn dlq(stack: &Stack, arguments: &[&str]) -> Said {
    let variables = stack.operator_variables().iter().map(|(key, value)| (*key, value));
    let output = Command::new(program("caffeine")).arg("dlq").args(arguments).envs(variables).output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same for a command that succeeds; what it printed.
fn told(stack: &Stack, arguments: &[&str]) -> String {
    let said = dlq(stack, arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {} {}", said.out, said.errors);
    said.out
}

/// The rows of a list: number, stage, message, run, code.
fn listed(stack: &Stack, filter: &[&str]) -> Vec<[String; 5]> {
    let text = told(stack, &[&["list"], filter].concat());
    if text == "No dead letters.\n" {
        return Vec::new();
    }
    let mut lines = text.lines();
    assert!(lines.next().unwrap().trim_start().starts_with("id "), "{text}");
    let row = |line: &str| -> [String; 5] {
        let words: Vec<String> = line.split_whitespace().take(5).map(str::to_owned).collect();
        words.try_into().unwrap_or_else(|words| panic!("{words:?} is no row of {text}"))
    };
    lines.map(row).collect()
}

/// A refusal: not a success, nothing on the output that a script reads, one sentence for the person.
fn refused(stack: &Stack, arguments: &[&str], sentence: &str) {
    let said = dlq(stack, arguments);
    assert_ne!(said.code, 0, "{arguments:?}: {}", said.out);
    let told = format!("{}{}", said.out, said.errors);
    assert!(told.contains(sentence) && told.trim_end().lines().count() == 1, "{arguments:?}: {told}");
}

/// Every secret that the operator's environment leads to.
fn secrets(stack: &Stack) -> Vec<String> {
    let mut secrets = vec![PLANTED.to_owned(), stack.api.token().to_owned()];
    for name in ["housekeeper.nk", "housekeeper.database-url"] {
        secrets.push(std::fs::read_to_string(stack.identities().join(name)).unwrap().trim().to_owned());
    }
    secrets
}

/// A run whose message of one stage ends its reader's work each time.
async fn poisoned(stack: &Stack, armed: &Path, at: &str, url: &str) -> Uuid {
    std::fs::write(armed, format!("{at}:in_handler=panic!:{}\n", armed.with_extension("marker").display())).unwrap();
    let run = stack.api.submit(url).await;
    assert_ne!(stack.ended(run, PATIENCE).await, "completed");
    std::fs::remove_file(armed).unwrap();
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_shows_sends_again_and_drops() {
    let folder = tempfile::tempdir().unwrap();
    let armed = folder.path().join("armed");
    let text = format!("/// {PLANTED}\npub fn one() -> u32 {{\n    1\n}}\n");
    let repositories = [GitFixture::with_files([("src/lib.rs", text)]), fixture::repository()];
    let (planted, other) = (repositories[0].serve().await, repositories[1].serve().await);
    let stack = Stack::start(StackOptions {
        allow_hosts: vec![planted.host(), other.host()],
        variables: vec![("CAFFEINE_FAULT".to_owned(), format!("@{}", armed.display()))],
        identities: true,
        housekeeper: true,
        ..StackOptions::default()
    })
    .await;
    assert_eq!(told(&stack, &["list"]), "No dead letters.\n");

    let analysed = poisoned(&stack, &armed, "chunker:files.batch#0", &planted.url()).await;
    let cloned = poisoned(&stack, &armed, "cloner:clone.requested", &other.url()).await;
    eventually(PATIENCE, || async { listed(&stack, &[]).len() == 2 }).await;

    // Both, and those of a stage, of a run, with a code.
    let rows = listed(&stack, &[]);
    let (batch, clone) = (&rows[0], &rows[1]);
    let row = |id: &str, stage: &str, message: &str, run: Uuid| {
        [id, stage, message, &run.to_string(), "attempts_used_up"].map(str::to_owned)
    };
    assert_eq!(*batch, row(&batch[0], "chunker", "files.batch", analysed));
    assert_eq!(*clone, row(&clone[0], "cloner", "clone.requested", cloned));
    let (batch_id, clone_id) = (batch[0].as_str(), clone[0].as_str());
    assert_eq!(listed(&stack, &["--stage", "cloner"]), std::slice::from_ref(clone));
    assert_eq!(listed(&stack, &["--run", &analysed.to_string()]), std::slice::from_ref(batch));
    assert_eq!(listed(&stack, &["--from", clone_id]), std::slice::from_ref(clone));
    assert_eq!(listed(&stack, &["--code", "attempts_used_up"]).len(), 2);
    assert!(listed(&stack, &["--code", "kills_its_reader"]).is_empty());
    assert!(listed(&stack, &["--stage", "cloner", "--run", &analysed.to_string()]).is_empty());
    let page = told(&stack, &["list", "--limit", "1"]);
    assert!(page.contains(batch_id) && page.contains("There may be more: --from "), "{page}");

    // What a person can read of one, and nothing that is not theirs to read.
    let shown = [told(&stack, &["show", batch_id]), told(&stack, &["show", clone_id])];
    let run = format!("run         {analysed}");
    for line in
        ["stage       chunker", "code        attempts_used_up", "message     files.batch", "key         0", &run]
    {
        assert!(shown[0].lines().any(|found| found == line), "{line} is not in {}", shown[0]);
    }
    for words in ["reason      panicked: as CAFFEINE_FAULT asks", "FilesBatch {", "batch: 0", "bytes, compressed"] {
        assert!(shown[0].contains(words), "{words} is not in {}", shown[0]);
    }
    assert!(shown[1].contains("CloneRequested {") && shown[1].contains(&other.url()), "{}", shown[1]);
    let lists = told(&stack, &["list"]);
    for secret in secrets(&stack) {
        for text in shown.iter().chain([&lists]) {
            assert!(!text.contains(&secret), "{secret} is in {text}");
        }
    }

    // What is not there is a failure in one sentence, and changes nothing.
    refused(&stack, &["show", "4711"], "there is no dead letter 4711: see `caffeine dlq list`");
    refused(&stack, &["redeliver", "4711"], "4711: there is no such dead letter");
    refused(&stack, &["drop", "4711"], "4711: there is no such dead letter");
    assert_eq!(listed(&stack, &[]), rows);

    // Its run is over, so another one does what was left undone.
    let (_, view) = stack.api.run(analysed).await;
    let runs = format!("/repositories/{}/runs", view["repository_id"].as_str().unwrap());
    let again = told(&stack, &["redeliver", batch_id]);
    assert_eq!(again, format!("{batch_id}: its run has ended: a new one was asked for\n"));
    assert_eq!(listed(&stack, &[]), std::slice::from_ref(clone));
    let ids = || async { run_ids(&stack, &runs).await };
    eventually(PATIENCE, || async { ids().await.len() == 2 }).await;
    let second = ids().await.into_iter().find(|id| *id != analysed).unwrap();
    assert_eq!(stack.ended(second, PATIENCE).await, "completed");
    assert!(stack.dump(second).await.contains("\"name\": \"one\""), "the batch was analysed");

    let before = number_of_runs(&stack).await;
    assert_eq!(told(&stack, &["drop", "--all", "--stage", "chunker"]), "0 dropped\n");
    assert_eq!(told(&stack, &["drop", clone_id]), "1 dropped\n");
    assert_eq!(told(&stack, &["list"]), "No dead letters.\n");
    refused(&stack, &["show", clone_id], "there is no dead letter");
    assert_eq!(number_of_runs(&stack).await, before, "what is dropped causes nothing");
}

#[test]
fn a_choice_is_needed_to_send_or_drop() {
    for action in ["redeliver", "drop"] {
        let output = Command::new(program("caffeine")).args(["dlq", action]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

async fn run_ids(stack: &Stack, path: &str) -> Vec<Uuid> {
    let (status, answer) = stack.api.get(path).await;
    assert_eq!(status, 200, "{answer}");
    answer["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().parse().unwrap()).collect()
}

async fn number_of_runs(stack: &Stack) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(stack.database.pool()).await.unwrap()
}
