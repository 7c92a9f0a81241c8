//! Repositories behind a token, and behind a private authority.

use std::sync::{Arc, Mutex};

use caffeine_cloner::{CloneError, Source};
use caffeine_sealed::Secret;
use caffeine_testkit::TlsFront;
use caffeine_testkit::git::{GitFixture, ServedRepo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Desk, answer, contents, redirect, web_server};

const TOKEN: &str = "s3cr3t-t0ken";

fn token(token: &str, front: &TlsFront) -> Secret {
    Secret::Token { user: "ada".to_owned(), token: token.to_owned(), authority: front.authority().to_owned() }
}

async fn front_of(served: &ServedRepo) -> TlsFront {
    TlsFront::before(served.host().rsplit_once(':').unwrap().1.parse().unwrap()).await
}

fn url(front: &TlsFront) -> String {
    format!("https://{}/repo.git", front.host())
}

async fn refused(desk: &Desk, source: &Source, expected: &str) {
    match desk.obtain_from(source).await {
        Err(CloneError::Refused { code, reason }) => {
            assert_eq!(code, expected, "{reason}");
            assert!(reason.contains(": ") && !reason.contains(TOKEN), "{reason}");
        }
        other => panic!("should be refused as {expected}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_a_private_repository_behind_a_private_authority() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve_private("ada", TOKEN).await;
    let front = front_of(&served).await;
    let desk = Desk::new([front.host()]);
    let source = desk.locked(&url(&front), &front.host(), token(TOKEN, &front));
    let obtained = desk.obtain_from(&source).await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
    assert_eq!(contents(&obtained), [("a".to_owned(), b"1".to_vec())]);
    let probed = desk.fetcher().probe(&source, &tokio_util::sync::CancellationToken::new()).await;
    assert_eq!(probed, Ok(Some("refs/heads/main".to_owned())));
    // Nothing of it is in the mirror.
    let found = std::process::Command::new("grep").args(["-r", TOKEN]).arg(desk.folder.path()).output().unwrap();
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_alone_opens_what_anybody_may_read() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let front = front_of(&served).await;
    let desk = Desk::new([front.host()]);
    let unknown = desk.obtain(&url(&front), "").await.unwrap_err();
    assert!(matches!(unknown, CloneError::Unreachable { .. }), "nobody vouches for the host: {unknown:?}");
    let authority = Secret::Authority { certificates: front.authority().to_owned() };
    let obtained = desk.obtain_from(&desk.locked(&url(&front), &front.host(), authority)).await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
    // Another authority is no help.
    let stranger = front_of(&served).await;
    let authority = Secret::Authority { certificates: stranger.authority().to_owned() };
    assert!(desk.obtain_from(&desk.locked(&url(&front), &front.host(), authority)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_fit_is_told_so() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve_private("ada", TOKEN).await;
    let front = front_of(&served).await;
    let desk = Desk::new([front.host(), served.host()]);
    let locked = |url: &str, host: &str, secret| desk.locked(url, host, secret);
    refused(&desk, &locked(&url(&front), &front.host(), token("wrong", &front)), "credentials_refused").await;
    refused(&desk, &locked(&url(&front), "git.corp:443", token(TOKEN, &front)), "credential_other_host").await;
    refused(&desk, &locked(&served.url(), &served.host(), token(TOKEN, &front)), "credential_without_tls").await;
    let missing = url(&front).replace("repo.git", "other.git");
    refused(&desk, &locked(&missing, &front.host(), token(TOKEN, &front)), "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_does_not_carry_the_token_away() {
    // Another host, which writes down what it hears.
    let thief = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let thief_host = thief.local_addr().unwrap().to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = thief.accept().await {
            let mut bytes = vec![0; 64 * 1024];
            let read = connection.read(&mut bytes).await.unwrap_or_default();
            notes.lock().unwrap().extend_from_slice(&bytes[..read]);
        }
    });
    for scheme in ["http", "https"] {
        let hop = web_server(redirect(&format!("{scheme}://{thief_host}/x.git"))).await;
        let front = TlsFront::before(hop.rsplit_once(':').unwrap().1.parse().unwrap()).await;
        let desk = Desk::new([front.host(), thief_host.clone()]);
        let source = desk.locked(&url(&front), &front.host(), token(TOKEN, &front));
        let error = desk.obtain_from(&source).await.unwrap_err();
        assert!(!error.to_string().contains(TOKEN), "{error}");
    }
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).to_lowercase();
    assert!(!heard.contains("authorization") && !heard.contains(TOKEN), "{heard}");
}

/// Sends back, as git's own error, whatever it was given to sign in with.
async fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let read = connection.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let given = request.lines().find(|line| line.to_lowercase().starts_with("authorization:"));
                let reply = match given {
                    None => answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
                    Some(given) => {
                        let line = format!("ERR you said {given} and the token {TOKEN}\n");
                        let body = format!("001e# service=git-upload-pack\n0000{:04x}{line}0000", line.len() + 4);
                        answer("200 OK", "Content-Type: application/x-git-upload-pack-advertisement\r\n", &body)
                    }
                };
                let _ = connection.write_all(reply.as_bytes()).await;
                let _ = connection.shutdown().await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_sends_the_token_back_is_not_quoted() {
    let front = TlsFront::before(echo_server().await).await;
    let desk = Desk::new([front.host()]);
    let source = desk.locked(&url(&front), &front.host(), token(TOKEN, &front));
    let error = desk.obtain_from(&source).await.unwrap_err().to_string();
    assert!(error.contains("(hidden)"), "the host's words are shown without it: {error}");
    assert!(!error.contains(TOKEN) && !error.contains("YWRhOnMzY3IzdC10MGtlbg"), "{error}");
}
