//! Repositories, servers and name servers that were made to hurt.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use caffeine_cloner::CloneError;
use caffeine_testkit::git::GitFixture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::names::Scripted;
use crate::support::{Desk, answer, noise};

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";

#[tokio::test(flavor = "multi_thread")]
async fn half_a_gibibyte_in_half_a_megabyte() {
    let mut git = GitFixture::empty();
    let blob = blob_of_zeros(&git, 512);
    git.commit_raw_tree("Bomb", &[("100644", b"bomb", &blob)]);
    let served = git.serve().await;
    let mut desk = Desk::new([served.host()]);
    desk.config.max_pack_bytes = 4 * 1024 * 1024;
    let reason = desk.refused(&served.url(), "", "object_too_large").await;
    assert!(reason.contains("max_object_bytes"), "{reason}");
}

/// Stores a blob of so many mebibytes without holding it.
fn blob_of_zeros(git: &GitFixture, mebibytes: usize) -> String {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(git.path())
        .args(["hash-object", "-w", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..mebibytes {
        stdin.write_all(&zeros).unwrap();
    }
    drop(stdin);
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

/// `levels` folders in each other, each with ten entries that are the same folder.
fn nested(git: &mut GitFixture, levels: usize, leaf: &[(&str, &[u8], &str)]) {
    let names: Vec<Vec<u8>> = (0..10).map(|n| format!("d{n}").into_bytes()).collect();
    git.commit_raw_tree("Leaf", leaf);
    for _ in 0..levels {
        let tree = git.git(&["rev-parse", "HEAD^{tree}"]);
        let entries: Vec<(&str, &[u8], &str)> =
            names.iter().map(|name| ("40000", name.as_slice(), tree.as_str())).collect();
        git.commit_raw_tree("Level", &entries);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_million_paths() {
    let mut git = GitFixture::empty();
    let blob = git.blob(b"x");
    nested(&mut git, 10, &[("100644", b"f", &blob), ("100644", b"g", &blob)]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let started = Instant::now();
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert!(obtained.listing.truncated, "it says that something is missing");
    assert_eq!(obtained.listing.files.len(), desk.config.max_files);
    assert!(obtained.bytes < 64 * 1024, "{} bytes", obtained.bytes);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_million_folders_without_a_file() {
    let mut git = GitFixture::empty();
    nested(&mut git, 10, &[]);
    let served = git.serve().await;
    let mut desk = Desk::new([served.host()]);
    desk.config.max_files = 20_000;
    let started = Instant::now();
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert!(obtained.listing.truncated && obtained.listing.files.is_empty(), "{:?}", obtained.listing.files.len());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

/// Says the beginning at once and the rest a byte every fifth of a second, for ever.
async fn loris(beginning: String, rest: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let beginning = beginning.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                if connection.write_all(beginning.as_bytes()).await.is_err() {
                    return;
                }
                for byte in rest.bytes().chain(std::iter::repeat(b'x')) {
                    if connection.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
        }
    });
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_loris_before_and_in_the_headers() {
    for (beginning, rest) in [("", "HTTP/1.1 200 OK\r\n"), ("HTTP/1.1 200 OK\r\nContent-Type: ", "")] {
        let host = loris(beginning.to_owned(), rest).await;
        let mut desk = Desk::new([host.clone()]);
        desk.config.fetch_seconds = 2;
        let started = Instant::now();
        let error = desk.obtain(&format!("http://{host}/x.git"), "").await.unwrap_err();
        assert!(matches!(error, CloneError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("no answer in time"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_loris_in_gits_own_words() {
    // The headers are perfect; the first line of the answer never ends.
    let host = loris(format!("HTTP/1.1 200 OK\r\nContent-Type: {ADVERTISEMENT}\r\n\r\n001e# serv"), "").await;
    let mut desk = Desk::new([host.clone()]);
    desk.config.fetch_seconds = 2;
    let started = Instant::now();
    let error = desk.obtain(&format!("http://{host}/x.git"), "").await.unwrap_err();
    assert!(!error.to_string().is_empty());
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_loris_in_the_pack() {
    let git = GitFixture::with_files([("noise", noise(1, 400_000))]);
    let served = git.serve().await;
    let host = slow_after(served.host(), 40_000).await;
    let mut desk = Desk::new([host.clone()]);
    desk.config.fetch_seconds = 3;
    let started = Instant::now();
    desk.refused(&format!("http://{host}/repo.git"), "", "too_slow").await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Passes everything on, but what comes back only a byte at a time once `fast` bytes of a connection are through.
async fn slow_after(upstream: String, fast: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                let inside = TcpStream::connect(upstream).await.unwrap();
                let (mut from_client, mut to_client) = outside.into_split();
                let (mut from_server, mut to_server) = inside.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let mut passed = 0;
                let mut bytes = vec![0; 4096];
                while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
                    for part in bytes[..read].chunks(if passed < fast { 4096 } else { 1 }) {
                        if to_client.write_all(part).await.is_err() {
                            return;
                        }
                        if passed >= fast {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                        passed += part.len();
                    }
                }
            });
        }
    });
    host
}

/// Counts who knocks at 127.0.0.2, on the port where 127.0.0.1 has the git server.
async fn trap(port: u16) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await.unwrap();
    let knocks = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&knocks);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = connection.write_all(answer("200 OK", "", "private").as_bytes()).await;
        }
    });
    knocks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_answer() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let port: u16 = served.host().rsplit_once(':').unwrap().1.parse().unwrap();
    let url = format!("http://rebind.test:{port}/repo.git");
    // Two numbers of loopback: the first stands for a public one, the second for the company's network.
    let (public, private) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
    let knocks = trap(port).await;
    let desk = Desk::new(Vec::<String>::new());
    let cancelled = CancellationToken::new();

    // Public when it is looked at, private from then on: the job stays where it was looked at.
    let names = Scripted::with_public([vec![public], vec![private]], [public]);
    let fetcher = desk.fetcher().with_names(Arc::clone(&names) as _);
    let obtained = fetcher.obtain(&desk.source(&url), "", &cancelled).await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), git.head().unwrap());
    assert_eq!(names.asked(), 1, "one question for the whole job");
    drop(obtained);
    // The next job asks again, and gets no further than the check.
    let error = fetcher.obtain(&desk.source(&url), "", &cancelled).await.unwrap_err();
    assert!(matches!(&error, CloneError::Refused { code: "address_private", .. }), "{error:?}");
    assert_eq!(names.asked(), 2);

    // One good number among bad ones does not help.
    let names = Scripted::with_public([vec![public, private]], [public]);
    let error = desk.fetcher().with_names(names as _).obtain(&desk.source(&url), "", &cancelled).await.unwrap_err();
    assert!(matches!(&error, CloneError::Refused { code: "address_private", .. }), "{error:?}");
    assert_eq!(knocks.load(Ordering::SeqCst), 0, "nobody connected to the private address");
}
