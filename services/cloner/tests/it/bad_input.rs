//! Addresses that lead nowhere good, and repositories that nobody should have made.

use caffeine_cloner::CloneError;
use caffeine_testkit::git::{Entry, GitFixture};

use crate::support::{Desk, answer, contents, redirect, summary, web_server, web_server_at};

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_repository() {
    let git = GitFixture::with_files([("a", "1")]);
    let private = git.serve_private("ada", "s3cret").await;
    let served = git.serve().await;
    let missing = web_server(answer("404 Not Found", "", "")).await;
    let forbidden = web_server(answer("403 Forbidden", "", "")).await;
    let page = web_server(answer("200 OK", "Content-Type: text/html\r\n", "<html>")).await;
    let login = web_server(answer("302 Found", "Location: /login\r\n", "")).await;
    let desk =
        Desk::new([served.host(), private.host(), missing.clone(), forbidden.clone(), page.clone(), login.clone()]);

    desk.refused(&private.url(), "", "needs_credentials").await;
    desk.refused(&format!("http://{missing}/x.git"), "", "not_found").await;
    desk.refused(&format!("http://{forbidden}/x.git"), "", "needs_credentials").await;
    desk.refused(&format!("http://{page}/x.git"), "", "not_git").await;
    desk.refused(&format!("http://{login}/x.git"), "", "not_git").await;
    desk.refused(&served.url().replace("repo.git", "other.git"), "", "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_pretends_to_be_git() {
    let kind = "Content-Type: application/x-git-upload-pack-advertisement\r\n";
    for body in ["", "rubbish", "0000", "001e# service=git-upload-pack\n0000", "ffff", "000eversion 2\n0000"] {
        let host = web_server(answer("200 OK", kind, body)).await;
        let error = Desk::new([host.clone()]).obtain(&format!("http://{host}/x.git"), "").await;
        assert!(error.is_err(), "{body}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_not_there() {
    // A port that was free a moment ago.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let desk = Desk::new([format!("127.0.0.1:{port}")]);
    let error = desk.obtain(&format!("http://127.0.0.1:{port}/x.git"), "").await.unwrap_err();
    assert!(matches!(error, CloneError::Unreachable { .. }), "{error:?}");
    let busy = web_server(answer("503 Service Unavailable", "", "")).await;
    let error = Desk::new([busy.clone()]).obtain(&format!("http://{busy}/x.git"), "").await.unwrap_err();
    assert!(matches!(error, CloneError::Unreachable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn private_networks_are_out_of_reach() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let nobody = Desk::new(Vec::<String>::new());
    let reason = nobody.refused(&served.url(), "", "address_private").await;
    assert!(reason.contains(&served.host()), "names what to allow: {reason}");
    // A name that leads there, too.
    nobody.refused(&served.url().replace("127.0.0.1", "localhost"), "", "address_private").await;

    // A host that may be reached sends us to one that may not.
    let hop = web_server(redirect(&served.url())).await;
    let desk = Desk::new([hop.clone()]);
    desk.refused(&format!("http://{hop}/x.git"), "", "address_private").await;

    // A host that sends us round in circles.
    let circle = web_server_at(|host| redirect(&format!("http://{host}/x.git"))).await;
    Desk::new([circle.clone()]).refused(&format!("http://{circle}/x.git"), "", "too_many_redirects").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_never_travel() {
    let mut git = GitFixture::empty();
    git.commit(
        "Everything",
        [
            (&b"ok.txt"[..], Entry::file("fine")),
            (b"run.sh", Entry::Executable(b"#!/bin/sh\n".to_vec())),
            (b"large.bin", Entry::file(vec![7; 20 * 1024 * 1024])),
            (b"just.fits", Entry::file(vec![1; 768 * 1024])),
            (b"just.not", Entry::file(vec![1; 768 * 1024 + 1])),
            (b"link", Entry::Symlink(b"../../etc/passwd".to_vec())),
            (b"module", Entry::Submodule("1111111111111111111111111111111111111111".to_owned())),
            (b"a/../escape", Entry::file("x")),
            (b".git/config", Entry::file("x")),
            (b"back\\slash", Entry::file("x")),
            (b"new\nline", Entry::file("x")),
            (b"bytes-\xff", Entry::file("x")),
            (b"latin1.txt", Entry::file(&b"caf\xe9\0\x01"[..])),
        ],
    );
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let obtained = desk.obtain(&served.url(), "").await.unwrap();

    let expected = [
        (".git\u{fffd}/config", 1, Some("bad_path")),
        ("a/..\u{fffd}/escape", 1, Some("bad_path")),
        ("back\u{fffd}slash", 1, Some("bad_path")),
        ("bytes-\u{fffd}", 1, Some("bad_path")),
        ("just.fits", 768 * 1024, None),
        ("just.not", 768 * 1024 + 1, Some("too_large")),
        ("large.bin", 20 * 1024 * 1024, Some("too_large")),
        ("latin1.txt", 6, None),
        ("link", 16, Some("symlink")),
        ("module", 0, Some("submodule")),
        ("new\u{fffd}line", 1, Some("bad_path")),
        ("ok.txt", 4, None),
        ("run.sh", 10, None),
    ];
    assert_eq!(summary(&obtained.listing.files), expected);
    assert!(!obtained.listing.truncated);
    assert_eq!(contents(&obtained).len(), 4);
    let modes: Vec<u32> = obtained.listing.files.iter().map(|file| file.mode).collect();
    assert_eq!(&modes[8..10], &[0o120_000, 0o160_000]);
    assert_eq!(modes[12], 0o100_755);
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_that_git_would_not_write() {
    let mut git = GitFixture::empty();
    let blob = git.blob(b"x");
    let missing = "2222222222222222222222222222222222222222";
    git.commit_raw_tree(
        "Hostile",
        &[
            ("100644", b"twice", &blob),
            ("100644", b"twice", &blob),
            ("100644", b"with/slash", &blob),
            ("100664", b"old-mode", &blob),
            ("100644", b"..", &blob),
            ("160000", b"zzz", missing),
        ],
    );
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    let expected = [
        ("..\u{fffd}", 1, Some("bad_path")),
        ("old-mode", 1, None),
        ("twice", 1, None),
        ("twice~891d3602", 1, Some("bad_path")),
        ("with/slash", 1, Some("bad_path")),
        ("zzz", 0, Some("submodule")),
    ];
    assert_eq!(summary(&obtained.listing.files), expected);
    assert_eq!(contents(&obtained).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_the_host_does_not_have() {
    let mut git = GitFixture::empty();
    let blob = git.blob(b"x");
    git.commit_raw_tree("Broken", &[("100644", b"a", &blob), ("40000", b"no-tree", &blob)]);
    let served = git.serve().await;
    let error = Desk::new([served.host()]).obtain(&served.url(), "").await.unwrap_err();
    // The host's own git cannot send it; a repeat may find it repaired.
    assert!(matches!(error, CloneError::Unreachable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_with_longer_object_ids() {
    let git = GitFixture::empty();
    std::fs::remove_dir_all(git.path()).unwrap();
    git.git(&["init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha256"]);
    let tree = git.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let commit = git.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "x", &tree]);
    git.git(&["update-ref", "refs/heads/main", &commit]);
    let served = git.serve().await;
    Desk::new([served.host()]).refused(&served.url(), "", "unsupported").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_bomb_is_listed_to_the_limit() {
    // Ten folders in each of ten folders, ten deep: ten thousand million paths in eleven objects.
    let git = GitFixture::with_files([("seed", "1")]);
    let mut entry = format!("100644 blob {}\tx\n", git.blob(b"x"));
    for _ in 0..10 {
        let lines: String = (0..10).map(|n| entry.replace("\tx\n", &format!("\tx{n}\n"))).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let tree = make_tree(&git, file.path());
        entry = format!("040000 tree {tree}\tx\n");
    }
    let tree = entry.split_whitespace().nth(2).unwrap();
    let commit = git.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "Bomb", tree]);
    git.git(&["update-ref", "refs/heads/main", &commit]);
    let served = git.serve().await;
    let mut desk = Desk::new([served.host()]);
    desk.config.max_files = 5_000;

    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(obtained.listing.files.len(), 5_000);
    assert!(obtained.listing.truncated);
    drop(obtained);

    desk.config.max_depth = 1;
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert!(obtained.listing.truncated);
    assert_eq!(summary(&obtained.listing.files)[0], ("x0/x0", 0, Some("limit")));
    assert_eq!(obtained.listing.files.len(), 100);
}

/// Runs `git mktree` with its input in a file.
fn make_tree(git: &GitFixture, input: &std::path::Path) -> String {
    let output = std::process::Command::new("git")
        .arg("--git-dir")
        .arg(git.path())
        .arg("mktree")
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_limits_allow() {
    // Bytes that do not compress.
    let mut noise = vec![0; 2 * 1024 * 1024];
    let mut state = 1_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let git = GitFixture::with_files([("noise", noise)]);
    let served = git.serve().await;

    let mut desk = Desk::new([served.host()]);
    desk.config.max_pack_bytes = 1024 * 1024;
    desk.refused(&served.url(), "", "too_large").await;

    let mut desk = Desk::new([served.host()]);
    desk.config.max_object_bytes = 1024 * 1024;
    desk.refused(&served.url(), "", "object_too_large").await;

    let mut desk = Desk::new([served.host()]);
    desk.config.fetch_seconds = 0;
    desk.refused(&served.url(), "", "too_slow").await;
}
