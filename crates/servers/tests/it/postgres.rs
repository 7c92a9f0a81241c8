//! PostgreSQL: credentials, crashes, and places an unprivileged user does not reach.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use caffeine_servers::ServerError;
use caffeine_servers::postgres::{PostgresOptions, PostgresServer};

use crate::{folder, is_alive, long_path, tools, wait_until};

fn options(data_dir: &Path, durable: bool) -> PostgresOptions {
    PostgresOptions { tools: tools(), data_dir: data_dir.to_owned(), durable }
}

fn psql(url: &str, statement: &str) -> Output {
    Command::new(tools().postgres_bin().join("psql")).args([url, "-XAtqc", statement]).output().expect("psql runs")
}

fn ask(server: &PostgresServer, statement: &str) -> String {
    let output = psql(&server.url(), statement);
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn runs_as_root() -> bool {
    fs::metadata("/proc/self").expect("Linux").uid() == 0
}

#[tokio::test]
async fn it_is_utf8_with_vectors_and_demands_the_generated_password() {
    let place = folder();
    let mut server = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    assert_eq!(ask(&server, "SHOW server_encoding"), "UTF8");
    assert_eq!(ask(&server, "SELECT upper('é') || lower('Σ')"), "Éσ");
    assert_eq!(ask(&server, "CREATE EXTENSION vector; SELECT '[1,2]'::halfvec(2) <=> '[2,4]'"), "0");
    assert_eq!(ask(&server, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"), "scram-sha-256");
    assert_eq!(ask(&server, "SHOW listen_addresses"), "127.0.0.1");
    assert_eq!(ask(&server, "SHOW unix_socket_directories"), "");

    for wrong in ["", "caffeine", "postgres"] {
        let url = format!("postgres://caffeine:{wrong}@{}/caffeine", server.address());
        let refused = psql(&url, "SELECT 1");
        assert!(!refused.status.success(), "{wrong:?} was let in");
    }
    server.stop().await;
    assert!(!is_alive(server.pid()));
}

#[tokio::test]
async fn fsync_is_off_only_when_asked() {
    for (durable, expected) in [(true, "on on on"), (false, "off off off")] {
        let place = folder();
        let mut server = PostgresServer::start(options(place.path(), durable)).await.expect("it starts");
        let settings = "SELECT concat_ws(' ', current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'))";
        assert_eq!(ask(&server, settings), expected);
        server.stop().await;
    }
}

#[tokio::test]
async fn committed_rows_survive_a_crash_and_a_new_owner() {
    let place = folder();
    let data = long_path(place.path());
    let mut server = PostgresServer::start(options(&data, true)).await.expect("it starts");
    ask(&server, "CREATE TABLE t AS SELECT 1 AS a");
    let address = server.address();
    server.kill();
    server.restart().await.expect("it starts again");
    assert_eq!(server.address(), address);
    assert_eq!(ask(&server, "SELECT a FROM t"), "1");

    let url = server.url();
    drop(server);
    let server = PostgresServer::start(options(&data, true)).await.expect("a new owner starts it");
    assert_eq!(ask(&server, "SELECT a FROM t"), "1");
    let secret = |url: &str| url.split(['/', '@']).nth(2).map(str::to_owned);
    assert_eq!(secret(&server.url()), secret(&url));
}

#[tokio::test]
async fn a_claim_with_somebody_elses_process_id_does_not_block_the_start() {
    let place = folder();
    let mut server = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    let claim_file = server.cluster_dir().join("postmaster.pid");
    server.kill();
    let claim = fs::read_to_string(&claim_file).expect("a killed server leaves its claim");
    let (_, rest) = claim.split_once('\n').expect("more than one line");
    drop(server);
    // Of the user PostgreSQL runs as: any other it takes for stale by itself.
    let owner = fs::metadata(&claim_file).expect("the claim is there");
    let mut command = Command::new("sleep");
    if runs_as_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = command.arg("60").current_dir("/").spawn().expect("sleep runs");
    fs::write(&claim_file, format!("{}\n{rest}", stranger.id())).expect("the claim can be written");

    let server = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    assert_eq!(ask(&server, "SELECT 1"), "1");
    assert!(stranger.try_wait().expect("sleep can be asked").is_none(), "a stranger was stopped");
    stranger.kill().expect("sleep can be killed");
    stranger.wait().expect("sleep ends");
}

#[tokio::test]
async fn one_data_directory_has_one_server() {
    let place = folder();
    let _first = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    let second = PostgresServer::start(options(place.path(), false)).await;
    assert!(matches!(second, Err(ServerError::InUse { .. })), "{second:?}");
}

#[tokio::test]
async fn root_gets_a_server_although_its_home_is_closed_to_others() {
    if !runs_as_root() {
        // For anybody else a closed home is his own, which every other test here shows.
        return;
    }
    for durable in [false, true] {
        let home = folder();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("a mode can be set");
        // The programs lie in the closed home as well.
        let copied = home.path().join("checkout").join(".tools");
        fs::create_dir_all(&copied).expect("a folder can be made");
        let original = tools().postgres_bin().join("../../../..");
        let status = Command::new("cp")
            .arg("-al")
            .arg(original.join("nats"))
            .arg(original.join("postgres"))
            .arg(&copied)
            .status();
        if !status.is_ok_and(|status| status.success()) {
            // Another file system.
            let status = Command::new("cp")
                .arg("-a")
                .arg(original.join("nats"))
                .arg(original.join("postgres"))
                .arg(&copied)
                .status();
            assert!(status.expect("cp runs").success());
        }
        let closed = caffeine_servers::Tools::at(copied).expect("the copy is complete");
        let data = home.path().join("checkout").join("data");
        let options = || PostgresOptions { tools: closed.clone(), data_dir: data.clone(), durable };

        let mut server = PostgresServer::start(options()).await.expect("it starts");
        ask(&server, "CREATE TABLE t AS SELECT 1 AS a");
        let cluster = server.cluster_dir();
        assert!(!cluster.starts_with(home.path()), "{}", cluster.display());
        let owner = fs::metadata(&cluster).expect("the cluster is there");
        assert_ne!(owner.uid(), 0);
        assert_eq!(owner.mode() & 0o077, 0, "the cluster is private");
        let home_mode = fs::metadata(home.path()).expect("the home is there").mode();
        assert_eq!(home_mode & 0o777, 0o700, "the home was opened");
        server.stop().await;
        drop(server);

        if durable {
            let mut server = PostgresServer::start(options()).await.expect("it starts again");
            assert_eq!(server.cluster_dir(), cluster);
            assert_eq!(ask(&server, "SELECT a FROM t"), "1");
            server.stop().await;
            remove_moved(&server, home.path());
            drop(server);
            let gone = PostgresServer::start(options()).await;
            assert!(matches!(gone, Err(ServerError::PlaceGone { .. })), "{gone:?}");
        } else {
            assert!(!cluster.exists(), "a throw-away place is left behind");
        }
    }
}

/// Removes the files of a stopped server that do not lie below its data directory.
fn remove_moved(server: &PostgresServer, data_dir: &Path) {
    let cluster = server.cluster_dir();
    if !cluster.starts_with(data_dir) {
        let place = cluster.ancestors().nth(2).expect("two folders above the cluster");
        fs::remove_dir_all(place).expect("root can remove it");
    }
}

#[tokio::test]
async fn a_dropped_server_takes_its_whole_family_along() {
    let place = folder();
    let server = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    let worker: u32 = ask(&server, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        .parse()
        .expect("a process id");
    assert!(is_alive(worker));
    drop(server);
    wait_until("the end of the checkpointer", || !is_alive(worker));
}

#[tokio::test]
async fn a_server_that_nobody_owns_any_more_is_stopped_by_the_next_start() {
    let place = folder();
    let mut server = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    let cluster = server.cluster_dir();
    ask(&server, "CREATE TABLE t AS SELECT 1 AS a");
    server.stop().await;
    let port = server.address().port().to_string();
    drop(server);
    let owner = fs::metadata(&cluster).expect("the cluster is there");
    let mut command = Command::new(tools().postgres_bin().join("postgres"));
    command.arg("-D").arg(&cluster).args(["-p", &port, "-c", "unix_socket_directories="]);
    if runs_as_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let mut leftover = command.current_dir("/").stderr(std::process::Stdio::null()).spawn().expect("postgres runs");
    let claim = cluster.join("postmaster.pid");
    wait_until("the leftover's readiness", || {
        fs::read_to_string(&claim).is_ok_and(|text| text.trim_end().ends_with("ready"))
    });

    let server = PostgresServer::start(options(place.path(), false)).await.expect("it starts");
    assert_eq!(ask(&server, "SELECT a FROM t"), "1");
    assert!(!is_alive(leftover.id()));
    leftover.wait().expect("it has ended");
}
