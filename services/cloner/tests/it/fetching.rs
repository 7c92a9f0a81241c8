//! Repositories as they should be.

use caffeine_cloner::mirror::Listing;
use caffeine_testkit::git::{Entry, GitFixture};

use tokio_util::sync::CancellationToken;

use crate::support::{Desk, contents, redirect, summary, web_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_listed_and_read() {
    let git = GitFixture::with_files([
        ("README.md", "# Hello\n"),
        ("src/lib.rs", "pub fn f() {}\n"),
        ("src/größe.py", "x = 1\n"),
        ("empty", ""),
    ]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);

    let obtained = desk.obtain(&served.url(), "").await.unwrap();

    assert_eq!(obtained.git_ref, "refs/heads/main");
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
    assert_eq!(obtained.listing.tree.to_string(), git.git(&["rev-parse", "HEAD^{tree}"]));
    assert_eq!(obtained.listing.committed_at, 1_767_225_600);
    assert!(!obtained.listing.truncated);
    assert!(obtained.bytes > 100, "bytes are counted: {}", obtained.bytes);
    let expected = [("README.md", 8, None), ("empty", 0, None), ("src/größe.py", 6, None), ("src/lib.rs", 14, None)];
    assert_eq!(summary(&obtained.listing.files), expected);
    assert_eq!(contents(&obtained)[3], ("src/lib.rs".to_owned(), b"pub fn f() {}\n".to_vec()));
    assert_eq!(obtained.listing.files[0].mode, 0o100_644);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_has_no_files() {
    let served = GitFixture::empty();
    let served = served.serve().await;
    let desk = Desk::new([served.host()]);
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(obtained.listing, Listing::empty());
    assert_eq!(obtained.listing.tree.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert_eq!(obtained.git_ref, "refs/heads/main");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_commit_has_no_files() {
    let mut git = GitFixture::empty();
    let commit = git.commit_raw_tree("Nothing", &[]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), commit);
    assert!(obtained.listing.files.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_tags_and_commits_by_name() {
    let mut git = GitFixture::with_files([("a", "1")]);
    let first = git.head().unwrap().to_owned();
    git.tag("v1");
    git.git(&["-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "annotated", &first]);
    let second = git.commit("Second", [("a", Entry::file("2"))]);
    git.switch_to_new_branch("feature/x");
    let third = git.commit("Third", [("a", Entry::file("3"))]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);

    let checks = [
        ("", "refs/heads/main", &second),
        ("HEAD", "refs/heads/main", &second),
        ("main", "refs/heads/main", &second),
        ("feature/x", "refs/heads/feature/x", &third),
        ("refs/heads/feature/x", "refs/heads/feature/x", &third),
        ("v1", "refs/tags/v1", &first),
        ("annotated", "refs/tags/annotated", &first),
        (&first, &first, &first),
    ];
    for (reference, git_ref, commit) in checks {
        let obtained = desk.obtain(&served.url(), reference).await.unwrap();
        assert_eq!((obtained.git_ref.as_str(), &obtained.listing.commit.to_string()), (git_ref, commit), "{reference}");
        assert_eq!(contents(&obtained).len(), 1);
    }
    let reason = desk.refused(&served.url(), "no-such", "ref_missing").await;
    assert!(reason.contains("no-such"), "{reason}");
    desk.refused(&served.url(), "-x", "ref_malformed").await;
    desk.refused(&served.url(), "0123456789012345678901234567890123456789", "commit_gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_branch_that_does_not_exist() {
    let git = GitFixture::with_files([("a", "1")]);
    git.git(&["symbolic-ref", "HEAD", "refs/heads/gone"]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    desk.refused(&served.url(), "", "ref_missing").await;
    assert!(desk.obtain(&served.url(), "main").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let hop = web_server(redirect(&served.url())).await;
    let desk = Desk::new([served.host(), hop.clone()]);
    let obtained = desk.obtain(&format!("http://{hop}/moved"), "").await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_the_default_branch() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let probe = async |url: &str| desk.fetcher().probe(&desk.source(url), &CancellationToken::new()).await;
    assert_eq!(probe(&served.url()).await, Ok(Some("refs/heads/main".to_owned())));
    assert!(probe("file:///etc").await.is_err());
}
