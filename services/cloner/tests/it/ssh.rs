//! Repositories over ssh, from a real sshd.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use caffeine_cloner::{CloneError, Source};
use caffeine_testkit::git::{Entry, GitFixture};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::names::Scripted;
use crate::sshd::Sshd;
use crate::support::{Desk, contents};

/// A desk that may reach this sshd by number and by the name `git.test`.
fn desk(sshd: &Sshd) -> Desk {
    Desk::new([format!("127.0.0.1:{}", sshd.port), format!("git.test:{}", sshd.port)])
}

async fn refused(desk: &Desk, source: &Source, expected: &str) -> String {
    match desk.obtain_from(source).await {
        Err(CloneError::Refused { code, reason }) => {
            assert_eq!(code, expected, "{reason}");
            assert!(reason.contains(": "), "says what to do: {reason}");
            reason
        }
        other => panic!("should be refused as {expected}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_key_opens_a_repository() {
    let mut git = GitFixture::with_files([("a", "1"), ("it's/b", "2")]);
    let sshd = Sshd::start().await;
    let desk = desk(&sshd);
    let host = format!("127.0.0.1:{}", sshd.port);
    let source = desk.locked(&sshd.url("127.0.0.1", git.path()), &host, sshd.deploy_key("127.0.0.1"));

    let obtained = desk.obtain_from(&source).await.unwrap();
    assert_eq!(obtained.git_ref, "refs/heads/main");
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
    assert_eq!(contents(&obtained).len(), 2);
    assert!(obtained.bytes > 100, "bytes are counted: {}", obtained.bytes);
    assert_eq!(std::fs::read_dir(desk.folder.path().join("keys")).unwrap().count(), 0, "the key is gone");
    drop(obtained);

    // Again, with a change; and by commit.
    let pinned = git.commit("Change", [("a", Entry::file("3"))]);
    let obtained = desk.obtain_from(&source).await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), pinned);
    drop(obtained);
    let cancelled = CancellationToken::new();
    desk.lose_disk();
    desk.fetcher().ensure(&source, pinned.parse().unwrap(), false, &cancelled).await.unwrap();
    assert_eq!(desk.fetcher().probe(&source, &cancelled).await, Ok(Some("refs/heads/main".to_owned())));
    let missing = desk.fetcher().obtain(&source, "no-such", &cancelled).await.unwrap_err();
    assert!(missing.to_string().contains("no-such"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_resolved_here_and_ssh_connects_to_the_number() {
    let git = GitFixture::with_files([("a", "1")]);
    let sshd = Sshd::start().await;
    let desk = desk(&sshd);
    let host = format!("git.test:{}", sshd.port);
    let source = desk.locked(&sshd.url("git.test", git.path()), &host, sshd.deploy_key("git.test"));
    // The system knows no such name: only our resolver does.
    let names = Scripted::new([vec![IpAddr::from(Ipv4Addr::LOCALHOST)]]);
    let fetcher = desk.fetcher().with_names(Arc::clone(&names) as _);
    let obtained = fetcher.obtain(&source, "", &CancellationToken::new()).await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
    assert_eq!(names.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_gets_nothing() {
    let git = GitFixture::with_files([("a", "1")]);
    let sshd = Sshd::start().await;
    let desk = desk(&sshd);
    let (url, host) = (sshd.url("127.0.0.1", git.path()), format!("127.0.0.1:{}", sshd.port));
    let locked = |url: &str, secret| desk.locked(url, &host, secret);

    refused(&desk, &locked(&url, sshd.secret("stranger", "host", "127.0.0.1")), "credentials_refused").await;
    refused(&desk, &locked(&url, sshd.secret("deploy", "stranger", "127.0.0.1")), "host_key_unknown").await;
    refused(&desk, &locked(&url, sshd.secret("deploy", "host", "other.test")), "host_key_unknown").await;
    refused(&desk, &locked(&format!("{url}.not"), sshd.deploy_key("127.0.0.1")), "not_found").await;
    refused(&desk, &desk.source(&url), "needs_credentials").await;
    let other = desk.locked(&url, "git.corp:22", sshd.deploy_key("127.0.0.1"));
    refused(&desk, &other, "credential_other_host").await;
    let damaged = caffeine_sealed::Secret::SshKey {
        private_key: "-----BEGIN OPENSSH PRIVATE KEY-----\ns3cret\n-----END OPENSSH PRIVATE KEY-----\n".to_owned(),
        known_hosts: match sshd.deploy_key("127.0.0.1") {
            caffeine_sealed::Secret::SshKey { ref known_hosts, .. } => known_hosts.clone(),
            _ => unreachable!("a deploy key"),
        },
    };
    let reason = refused(&desk, &locked(&url, damaged), "credentials_refused").await;
    assert!(!reason.contains("s3cret"), "{reason}");
    assert_eq!(std::fs::read_dir(desk.folder.path().join("keys")).unwrap().count(), 0, "no key stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn private_networks_are_out_of_reach_over_ssh_too() {
    let git = GitFixture::with_files([("a", "1")]);
    let sshd = Sshd::start().await;
    let nobody = Desk::new(Vec::<String>::new());
    let number = format!("127.0.0.1:{}", sshd.port);
    let source = nobody.locked(&sshd.url("127.0.0.1", git.path()), &number, sshd.deploy_key("127.0.0.1"));
    let reason = refused(&nobody, &source, "address_private").await;
    assert!(reason.contains(&number), "names what to allow: {reason}");

    let name = format!("git.test:{}", sshd.port);
    let source = nobody.locked(&sshd.url("git.test", git.path()), &name, sshd.deploy_key("git.test"));
    let names = Scripted::new([vec![IpAddr::from(Ipv4Addr::LOCALHOST)]]);
    let fetcher = nobody.fetcher().with_names(names as _);
    let error = fetcher.obtain(&source, "", &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, CloneError::Refused { code: "address_private", .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_is_never_a_host() {
    let sshd = Sshd::start().await;
    let desk = desk(&sshd);
    let proof = desk.folder.path().join("proof");
    let touch = format!("-oProxyCommand=touch${{IFS}}{}", proof.display());
    for url in [
        format!("ssh://{touch}/x"),
        format!("ssh://git@{touch}/x"),
        format!("{touch}@127.0.0.1:x"),
        format!("git@{touch}:x"),
        format!("ssh://{}@127.0.0.1:{}/-oProxyCommand=x;touch${{IFS}}{}", sshd.user, sshd.port, proof.display()),
        format!("git@127.0.0.1:--upload-pack=touch${{IFS}}{}", proof.display()),
        "ssh://-oProxyCommand=x/a".to_owned(),
    ] {
        let host = format!("127.0.0.1:{}", sshd.port);
        let outcome = desk.obtain_from(&desk.locked(&url, &host, sshd.deploy_key("127.0.0.1"))).await;
        let error = outcome.expect_err(&url);
        assert!(matches!(error, CloneError::Refused { .. }), "{url}: {error:?}");
        assert!(!error.to_string().contains("touch") || error.to_string().contains("no repository"), "{error}");
    }
    assert!(!proof.exists(), "nothing ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            open.push(connection);
        }
    });
    let sshd = Sshd::start().await;
    let host = format!("127.0.0.1:{port}");
    let mut desk = Desk::new([host.clone()]);
    desk.config.fetch_seconds = 2;
    let source = desk.locked(&format!("ssh://git@{host}/x"), &host, sshd.deploy_key("127.0.0.1"));
    let started = Instant::now();
    refused(&desk, &source, "too_slow").await;
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(std::fs::read_dir(desk.folder.path().join("keys")).unwrap().count(), 0, "the key is gone");
}
