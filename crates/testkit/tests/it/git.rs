//! Repositories of tests.

use std::path::Path;
use std::process::Command;

use caffeine_testkit::git::{Entry, GitFixture};

#[test]
fn the_same_bytes_give_the_same_commit() {
    let build = || GitFixture::with_files([("src/main.rs", "fn main() {}\n"), ("README.md", "# Hi\n")]);
    let (one, two) = (build(), build());
    assert_eq!(one.head(), two.head());
    // Whatever machine and whoever's settings: if this id changes, commits are not reproducible.
    assert_eq!(one.head(), Some("56fa15027d7baeb5e6070f612d3a2018a2da1e33"));
}

#[test]
fn an_empty_repository_has_a_branch_and_no_commit() {
    let fixture = GitFixture::empty();
    assert_eq!(fixture.head(), None);
    assert_eq!(fixture.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(fixture.git(&["for-each-ref"]), "");
}

#[test]
fn everything_odd_arrives_as_it_was_given() {
    let submodule = "1234567890123456789012345678901234567890";
    let mut fixture = GitFixture::empty();
    let entries: Vec<(&[u8], Entry)> = vec![
        (b"plain.txt", Entry::file("text")),
        (b"bin/run", Entry::Executable(b"#!/bin/sh\n".to_vec())),
        (b"link", Entry::Symlink(b"../../etc/passwd".to_vec())),
        (b"vendor/lib", Entry::Submodule(submodule.to_owned())),
        (b"latin1.txt", Entry::file(b"caf\xe9".to_vec())),
        (b"a/../b", Entry::file("dots")),
        (b".git/config", Entry::file("config")),
        (b"not\xfftext/new\nline\t\"quoted\"", Entry::file("odd")),
        ("dir with space/[é].rs".as_bytes(), Entry::file("unicode")),
        (b"deep/a/b/c/d/e.txt", Entry::file("deep")),
    ];
    fixture.commit("Odd", entries.clone());
    let listing = fixture.git(&["ls-tree", "-r", "-z", "HEAD"]);
    assert_eq!(listing.split('\0').filter(|line| !line.is_empty()).count(), entries.len());
    for expected in [
        "100755 blob",
        "120000 blob",
        &format!("160000 commit {submodule}\tvendor/lib"),
        "\ta/../b",
        "\t.git/config",
        "\tdir with space/[é].rs",
        "\tdeep/a/b/c/d/e.txt",
        "/new\nline\t\"quoted\"",
    ] {
        assert!(listing.contains(expected), "{expected:?} is not in {listing:?}");
    }
    assert_eq!(fixture.git(&["show", "HEAD:dir with space/[é].rs"]), "unicode");
    assert_eq!(fixture.git(&["cat-file", "blob", "HEAD:link"]), "../../etc/passwd");
}

#[test]
fn commits_change_what_they_name_and_keep_the_rest() {
    let mut fixture = GitFixture::with_files([("a", "1"), ("b/c", "2")]);
    let first = fixture.head().expect("a commit").to_owned();
    fixture.tag("v1");
    fixture.commit("Change", [("a", Entry::file("3")), ("b/c", Entry::Removed), ("d", Entry::file("4"))]);
    assert_eq!(fixture.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "a\nd");
    assert_eq!(fixture.git(&["rev-parse", "HEAD~1", "v1"]), format!("{first}\n{first}"));
    let on_main = fixture.head().expect("a commit").to_owned();
    fixture.switch_to_new_branch("feature");
    fixture.commit("Elsewhere", [("e", Entry::file("5"))]);
    assert_eq!(fixture.git(&["rev-parse", "main", "feature~1"]), format!("{on_main}\n{on_main}"));
}

#[test]
fn a_raw_tree_holds_what_git_would_refuse() {
    let mut fixture = GitFixture::empty();
    let blob = fixture.blob(b"x");
    fixture.commit_raw_tree(
        "Raw",
        &[("100644", b"same", &blob), ("100644", b"same", &blob), ("100644", b"with/slash", &blob)],
    );
    assert_eq!(fixture.git(&["ls-tree", "--name-only", "HEAD"]), "same\nsame\nwith/slash");
}

#[test]
fn thousands_of_files_are_no_obstacle() {
    let files = (0..3_000).map(|number| (format!("dir{}/f{number}.txt", number % 50), format!("{number}")));
    let fixture = GitFixture::with_files(files);
    assert_eq!(fixture.git(&["ls-tree", "-r", "--name-only", "HEAD"]).lines().count(), 3_000);
    assert_eq!(fixture.git(&["show", "HEAD:dir7/f57.txt"]), "57");
}

fn clone(url: &str, to: &Path) -> bool {
    Command::new("git")
        .args(["clone", "-q", "--bare", url])
        .arg(to)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stderr(std::process::Stdio::null())
        .status()
        .expect("git runs")
        .success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixture_can_be_cloned() {
    let fixture = GitFixture::with_files([("a", "1")]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let served = fixture.serve().await;
    assert!(served.url().contains(&served.host()));
    assert!(clone(&served.url(), &folder.path().join("public")));
    let private = fixture.serve_private("ada", "s3cret").await;
    assert!(!clone(&private.url(), &folder.path().join("refused")));
    let with_password = private.url().replace("http://", "http://ada:s3cret@");
    assert!(clone(&with_password, &folder.path().join("private")));
}
