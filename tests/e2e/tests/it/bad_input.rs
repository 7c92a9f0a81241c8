//! Addresses that lead nowhere and repositories that nobody should have made: every run ends, with words that help.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use caffeine_doc_writer::markdown;
use caffeine_e2e::{Stack, StackOptions, program};
use caffeine_testkit::git::GitFixture;
use caffeine_testkit::{TestBus, TestDatabase};
use serde_json::json;
use uuid::Uuid;

use crate::unwelcome::dead_letters;
use crate::{fixture, odd};

const DEADLINE: Duration = Duration::from_secs(120);

/// Addresses that the API refuses, and words that say what to do.
const REFUSED: [(&str, &str, &str); 10] = [
    ("file:///etc", "url_scheme_refused", "Give the https:// address"),
    ("/etc", "url_scheme_refused", "Give the https:// address"),
    ("ssh://git@host/a.git", "url_scheme_refused", "Give the https:// address of the repository"),
    ("git@host:a/b.git", "url_scheme_refused", "Give the https:// address of the repository"),
    ("ext::sh", "url_scheme_refused", "Remote helpers (`ext::`, `fd::` …) are not run. Give the https:// address"),
    ("ext::sh -c id", "url_malformed", "space"),
    ("git://host/a.git", "url_scheme_refused", "Give the https:// address"),
    ("https://ada:s3cret@host/a.git", "url_has_credentials", "Remove it"),
    ("https://host/a.git?token=1", "url_malformed", "Remove everything from the `?`"),
    ("a repository", "url_malformed", "Remove it"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_run_ends_with_words_that_help() {
    let good = fixture::repository();
    let (odd, empty) = (odd::repository(), GitFixture::empty());
    let binaries = GitFixture::with_files([("a.png", &b"\x89PNG\0"[..]), ("b/c.bin", b"\0\x01\x02")]);
    let (good, private) = (good.serve().await, good.serve_private("ada", "s3cret").await);
    let (odd, empty, binaries) = (odd.serve().await, empty.serve().await, binaries.serve().await);
    let (page, nobody) = (web_page(), free_host());
    let hosts = [good.host(), private.host(), odd.host(), empty.host(), binaries.host(), page.clone(), nobody.clone()];
    let stack = Stack::start(StackOptions { allow_hosts: hosts.to_vec(), ..StackOptions::default() }).await;

    let missing = good.url().replace("repo.git", "other.git");
    let failing = [
        // The first one is tried again for a while.
        (format!("http://{nobody}/a.git"), "", "attempts_used_up", "check the address, or try again"),
        (missing.clone(), "", "not_found", "check the address for a typing error"),
        (private.url(), "", "needs_credentials", "use one that can be read without"),
        (format!("http://{page}/"), "", "not_git", "use the address that `git clone` takes"),
        ("http://127.0.0.1:1/a.git".to_owned(), "", "address_private", "ask the operator to add `127.0.0.1:1`"),
        (good.url(), "no-such-branch", "ref_missing", "check the name"),
    ];
    let mut runs = Vec::new();
    for (url, reference, ..) in &failing {
        runs.push(submit(&stack, url, reference).await);
    }
    refused_at_once(&stack).await;
    odd_repository(&stack, &odd.url()).await;
    repository_of_binaries(&stack, &binaries.url()).await;
    repository_without_a_commit(&stack, &empty.url()).await;
    commands_that_fail(&stack, &missing);
    for ((url, _, code, words), run) in failing.iter().zip(runs) {
        assert_eq!(stack.ended(run, DEADLINE).await, "failed", "{url}");
        let (_, answer) = stack.api.run(run).await;
        assert_eq!(answer["failure"]["code"], *code, "{url}: {answer}");
        let reason = answer["failure"]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(words) && !reason.contains("s3cret"), "{url}: {reason}");
    }

    for (name, service) in &stack.services {
        assert_eq!(service.starts(), 1, "{name} ended and was started again");
    }
    // What cannot be cloned is kept for the operator (the command line failed once more); nothing else went wrong.
    let letters = dead_letters(&stack).await;
    let subjects: Vec<&str> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    assert!(subjects.iter().all(|subject| subject.contains(".dead.cloner.")), "{subjects:?}");
    assert_eq!(subjects.len(), failing.len() + 1, "{subjects:?}");
}

async fn submit(stack: &Stack, url: &str, reference: &str) -> Uuid {
    let body = json!({ "url": url, "ref": reference, "documents": [{ "writer": "structural" }] });
    let (status, body) = stack.api.post("/repositories", &body).await;
    assert!(status == 201 || status == 200, "{url}: {status}: {body}");
    body["run"]["id"].as_str().and_then(|id| id.parse().ok()).expect("the run has an id")
}

async fn refused_at_once(stack: &Stack) {
    for (url, code, words) in REFUSED {
        let (status, media_type, problem) = stack.api.post_typed("/repositories", &json!({ "url": url })).await;
        assert_eq!((status, media_type.as_str()), (422, "application/problem+json"), "{url}: {problem}");
        assert_eq!(problem["code"], code, "{url}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/url", "{url}: {problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words) && !detail.contains("s3cret"), "{url}: {detail}");
    }
}

/// The pages of a run's only document by slug.
async fn pages(stack: &Stack, run: Uuid) -> Vec<(String, String)> {
    let (_, answer) = stack.api.run(run).await;
    let document = answer["documents"][0]["id"].as_str().expect("the run has a document").to_owned();
    let (_, document_view) = stack.api.get(&format!("/documents/{document}")).await;
    let mut pages = Vec::new();
    for entry in document_view["pages"].as_array().expect("a table of contents") {
        assert_eq!(entry["state"], "published", "{entry}");
        let slug = entry["slug"].as_str().expect("a page has a slug");
        let text = stack.api.text(&format!("/documents/{document}/pages/{slug}.md")).await;
        assert_eq!(markdown::check(&text), [], "{slug}:\n{text}");
        assert!(!text.contains(['\u{202e}', '\u{200b}']), "{slug} hides characters:\n{text}");
        pages.push((slug.to_owned(), text));
    }
    pages
}

fn page<'pages>(pages: &'pages [(String, String)], slug: &str) -> &'pages str {
    let found = pages.iter().find(|(name, _)| name == slug);
    &found.unwrap_or_else(|| panic!("there is no page {slug}")).1
}

async fn completed(stack: &Stack, url: &str) -> Uuid {
    let run = submit(stack, url, "").await;
    let state = stack.ended(run, DEADLINE).await;
    assert_eq!(state, "completed", "{url}: {}", stack.api.run(run).await.1);
    run
}

async fn repository_without_a_commit(stack: &Stack, url: &str) {
    let run = completed(stack, url).await;
    let pages = pages(stack, run).await;
    let overview = page(&pages, "index");
    assert!(overview.contains("The repository is empty"), "{overview}");
    let zeros = "0".repeat(40);
    assert!(pages.iter().all(|(_, text)| !text.contains(&zeros)), "a commit that does not exist: {pages:?}");
}

async fn repository_of_binaries(stack: &Stack, url: &str) {
    let run = completed(stack, url).await;
    let pages = pages(stack, run).await;
    let report = page(&pages, "analysis-report");
    for path in ["a.png", "b/c.bin"] {
        assert!(report.contains(&format!("| `{path}` | binary | ")), "{report}");
    }
    assert!(page(&pages, "index").contains("[analysis report](analysis-report.md)"), "{pages:?}");
}

async fn odd_repository(stack: &Stack, url: &str) {
    let run = completed(stack, url).await;
    let pages = pages(stack, run).await;
    let report = page(&pages, "analysis-report");
    for (path, reason, bytes) in odd::SKIPPED {
        assert!(report.contains(&format!("| {path} | {reason} | {bytes} |\n")), "{path} {reason}:\n{report}");
    }
    assert!(report.contains("d/d/d` | limit |"), "a folder that is too deep:\n{report}");
    assert!(report.contains("nnn` | bad path |"), "a name that is too long:\n{report}");
    let index = page(&pages, "symbols");
    for number in 0..odd::HOSTILE_PATHS.len() {
        assert!(index.contains(&format!("`hostile_{number}`")), "{number}:\n{index}");
    }

    // The command line writes the same pages and the files they cite, read through the API.
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().join("docs");
    let output = document(stack, &[url, "--out", folder.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{output:?}");
    let checked = check_docs(&folder);
    assert!(checked.contains(", 0 broken"), "{checked}");
}

/// One sentence each, on standard error, and nothing on standard output.
fn commands_that_fail(stack: &Stack, missing: &str) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().join("docs");
    let bad = [
        (missing, "check the address for a typing error"),
        ("file:///etc", "Give the https:// address"),
        ("ext::sh", "neither an http"),
        ("git@host:a/b.git", "use the https:// address"),
        ("/etc", "not a git repository"),
    ];
    for (address, words) in bad {
        let output = document(stack, &[address, "--out", folder.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{address}: {output:?}");
        let sentence = said.lines().last().unwrap_or_default();
        assert!(sentence.contains(words), "{address}: {said}");
        assert!(!said.contains("panicked") && !said.contains("Caused by"), "{address}: {said}");
        assert!(!folder.exists(), "{address}: something was written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_documents_a_working_copy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("a copy [1]");
    let cloned = Command::new("git").arg("clone").arg("--quiet").arg(fixture::repository().path()).arg(&copy).output();
    let cloned = cloned.expect("git can be started");
    assert!(cloned.status.success() && copy.join(".git").is_dir(), "{cloned:?}");

    let (database, bus) = (TestDatabase::create().await, TestBus::connect().await);
    let (data, out) = (folder.path().join("data"), folder.path().join("docs"));
    let output = Command::new(program("caffeine"))
        .arg("document")
        .arg(&copy)
        .args(["--data", data.to_str().expect("UTF-8"), "--out", out.to_str().expect("UTF-8")])
        .env("CAFFEINE_NATS_URL", bus.url())
        .env("CAFFEINE_NATS_PREFIX", bus.prefix())
        .env("CAFFEINE_NATS_TIMINGS", "test")
        .env("CAFFEINE_DATABASE_URL", database.url())
        .env("CAFFEINE_HEALTH_LISTEN", "127.0.0.1:0")
        .output()
        .expect("`make test` builds caffeine");
    assert!(output.status.success(), "{output:?}");
    let checked = check_docs(&out);
    assert!(checked.contains(", 0 broken"), "{checked}");
    let overview = std::fs::read_to_string(out.join("reference/index.md")).expect("there is an overview");
    assert!(overview.contains("A small repository that has everything once."), "{overview}");
}

/// `caffeine document` against the running system.
fn document(stack: &Stack, arguments: &[&str]) -> Output {
    Command::new(program("caffeine"))
        .arg("document")
        .args(arguments)
        .args(["--server", stack.api.base()])
        .env("CAFFEINE_TOKEN", stack.api.token())
        .output()
        .expect("`make test` builds caffeine")
}

/// What the checker of this repository says of a tree of pages.
fn check_docs(folder: &Path) -> String {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check-docs");
    let output = Command::new(checker).arg(folder).output().expect("the checker can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A web server that answers everything with a page. Its thread ends with the test.
fn web_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>",
            );
        }
    });
    address.to_string()
}

/// A host and port where nobody listened a moment ago.
fn free_host() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").to_string()
}
