//! Clones and pushes by the git program through our server.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use caffeine_servers::git_http::{GitHttpOptions, GitHttpServer};

use crate::folder;

fn git(arguments: &[&str], directory: &Path) -> Output {
    Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .expect("git runs")
}

fn must(arguments: &[&str], directory: &Path) -> String {
    let output = git(arguments, directory);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A bare repository below `root` with one commit, whose content does not compress.
fn bare_repository(root: &Path, bytes: usize) -> String {
    let work = root.join("work");
    fs::create_dir_all(&work).expect("a folder can be made");
    must(&["init", "-q"], &work);
    let mut noise = Vec::new();
    fs::File::open("/dev/urandom").expect("Linux").take(bytes as u64).read_to_end(&mut noise).expect("it is endless");
    fs::write(work.join("noise.bin"), noise).expect("a file can be written");
    must(&["add", "."], &work);
    must(&["commit", "-qm", "one"], &work);
    must(&["clone", "-q", "--bare", "work", "a b.git"], root);
    must(&["rev-parse", "HEAD"], &work)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_by_either_protocol_gives_the_same_commit() {
    let root = folder();
    let commit = bare_repository(root.path(), 3_000_000);
    let server = GitHttpServer::start(root.path().to_owned()).await.expect("it starts");
    let url = server.repo_url("a%20b.git");
    for (version, name) in [("protocol.version=2", "two"), ("protocol.version=0", "zero")] {
        must(&["-c", version, "clone", "-q", &url, name], root.path());
        assert_eq!(must(&["rev-parse", "HEAD"], &root.path().join(name)), commit);
    }
    let missing = git(&["clone", "-q", &server.repo_url("missing.git"), "x"], root.path());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("not found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_push_streams_through() {
    let root = folder();
    bare_repository(root.path(), 10);
    must(&["config", "http.receivepack", "true"], &root.path().join("a b.git"));
    let server = GitHttpServer::start(root.path().to_owned()).await.expect("it starts");
    let work = root.path().join("work");
    // More than git's post buffer, so that the body comes in chunks of unknown length.
    fs::write(work.join("more.bin"), vec![7; 100]).expect("a file can be written");
    let mut noise = Vec::new();
    fs::File::open("/dev/urandom").expect("Linux").take(3_000_000).read_to_end(&mut noise).expect("endless");
    fs::write(work.join("noise.bin"), noise).expect("a file can be written");
    must(&["add", "."], &work);
    must(&["commit", "-qm", "two"], &work);
    must(&["push", "-q", &server.repo_url("a%20b.git"), "HEAD:refs/heads/main"], &work);
    let pushed = must(&["rev-parse", "main"], &root.path().join("a b.git"));
    assert_eq!(pushed, must(&["rev-parse", "HEAD"], &work));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_asks_for_its_password() {
    let root = folder();
    bare_repository(root.path(), 10);
    let credentials = Some(("ada".to_owned(), "s3cret".to_owned()));
    let options = GitHttpOptions { root: root.path().to_owned(), port: 0, credentials };
    let server = GitHttpServer::start_with(options).await.expect("it starts");
    for (userinfo, is_let_in) in [("", false), ("ada:wrong@", false), ("ada:s3cret@", true)] {
        let url = format!("http://{userinfo}127.0.0.1:{}/a%20b.git", server.port());
        let listed = git(&["ls-remote", &url], root.path());
        assert_eq!(listed.status.success(), is_let_in, "{userinfo:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_root_is_served() {
    let root = folder();
    bare_repository(root.path(), 10);
    fs::create_dir(root.path().join("served")).expect("a folder can be made");
    let server = GitHttpServer::start(root.path().join("served")).await.expect("it starts");
    for path in ["../a b.git", "%2e%2e/a%20b.git", "/etc", "..%2Fa%20b.git"] {
        let url = server.repo_url(path);
        let output = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is"])
            .arg(format!("{}/info/refs?service=git-upload-pack", url.replace(' ', "%20")))
            .output();
        // Without curl, git itself asks; it may resolve the dots first.
        let refused = match output {
            Ok(output) => !output.stdout.starts_with(b"2"),
            Err(_) => !git(&["ls-remote", &url], root.path()).status.success(),
        };
        assert!(refused, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_prints_its_address_and_ends_on_sigterm() {
    use std::io::{BufRead, BufReader};
    let root = folder();
    let commit = bare_repository(root.path(), 10);
    let mut program = Command::new(env!("CARGO_BIN_EXE_caffeine-git-http"))
        .arg(root.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut address = String::new();
    BufReader::new(program.stdout.take().expect("asked for")).read_line(&mut address).expect("a line");
    let url = format!("{}/a%20b.git", address.trim());
    assert!(must(&["ls-remote", &url, "HEAD"], root.path()).starts_with(&commit));
    Command::new("sh").args(["-c", r#"kill -s TERM "$1""#, "sh", &program.id().to_string()]).status().expect("sh runs");
    assert!(program.wait().expect("it ends").success());
}
