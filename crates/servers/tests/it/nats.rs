//! nats-server: credentials, and what survives a crash.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use caffeine_servers::ServerError;
use caffeine_servers::nats::{NatsOptions, NatsServer};

use crate::{folder, is_alive, long_path, tools, wait_until};

fn options(data_dir: &std::path::Path) -> NatsOptions {
    NatsOptions {
        tools: tools(),
        data_dir: data_dir.to_owned(),
        port: 0,
        max_store_bytes: 1 << 30,
        sync_always: true,
        monitor: false,
    }
}

/// A client of a few lines: the protocol is text.
struct Client {
    lines: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr, password: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
        let mut client = Self { lines: BufReader::new(stream) };
        client.line();
        client.say(&format!(r#"CONNECT {{"user":"caffeine","pass":"{password}","verbose":false,"pedantic":false}}"#));
        client.say("PING");
        client
    }

    fn say(&mut self, line: &str) {
        self.lines.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("the server reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }

    /// Sends a request and returns the body of its answer.
    fn request(&mut self, subject: &str, body: &str) -> String {
        self.say("SUB inbox 1");
        self.say("UNSUB 1 1");
        self.say(&format!("PUB {subject} inbox {}\r\n{body}", body.len()));
        loop {
            let line = self.line();
            if line.starts_with("MSG ") {
                return self.line();
            }
        }
    }
}

fn password(server: &NatsServer) -> String {
    let url = server.url();
    let userinfo = url.split(['/', '@']).nth(2).expect("an address with user and password");
    userinfo.split(':').nth(1).expect("a password").to_owned()
}

#[tokio::test]
async fn only_the_generated_password_opens_the_server() {
    let place = folder();
    let mut server = NatsServer::start(options(place.path())).await.expect("it starts");
    let password = password(&server);
    assert_eq!(Client::connect(server.address(), &password).line(), "PONG");
    for wrong in ["", "caffeine", "password"] {
        let answer = Client::connect(server.address(), wrong).line();
        assert!(answer.contains("Authorization Violation"), "{wrong:?}: {answer}");
    }
    server.stop().await;
    assert!(!is_alive(server.pid()));
}

#[tokio::test]
async fn acknowledged_messages_survive_a_crash_and_a_move_of_owner() {
    let place = folder();
    let data = long_path(place.path());
    let mut server = NatsServer::start(options(&data)).await.expect("it starts");
    let (address, password) = (server.address(), password(&server));

    let mut client = Client::connect(address, &password);
    let created = client.request("$JS.API.STREAM.CREATE.S", r#"{"name":"S","subjects":["s"],"storage":"file"}"#);
    assert!(created.contains(r#""did_create":true"#), "{created}");
    assert!(client.request("s", "one").contains(r#""seq":1"#));
    server.kill();
    assert!(!server.is_running());
    server.restart().await.expect("it starts again");
    assert_eq!(server.address(), address);
    assert!(Client::connect(address, &password).request("s", "two").contains(r#""seq":2"#));

    drop(server);
    let server = NatsServer::start(options(&data)).await.expect("a new owner starts it");
    let mut client = Client::connect(server.address(), &password);
    assert!(client.request("s", "three").contains(r#""seq":3"#));
}

#[tokio::test]
async fn one_data_directory_has_one_server() {
    let place = folder();
    let _first = NatsServer::start(options(place.path())).await.expect("it starts");
    let second = NatsServer::start(options(place.path())).await;
    assert!(matches!(second, Err(ServerError::InUse { .. })), "{second:?}");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_shows_the_servers_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let place = folder();
    let error = NatsServer::start(NatsOptions { port, ..options(place.path()) }).await.expect_err("the port is taken");
    assert!(error.to_string().contains("address already in use"), "{error}");
}

#[tokio::test]
async fn monitoring_is_there_when_asked_for() {
    let place = folder();
    let server = NatsServer::start(NatsOptions { monitor: true, ..options(place.path()) }).await.expect("it starts");
    let url = server.monitor_url().expect("it was asked for");
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("the endpoint listens");
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").expect("the endpoint reads");
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).expect("the endpoint answers");
    assert!(status.contains("200"), "{status}");
}

#[tokio::test]
async fn a_server_that_nobody_owns_any_more_is_stopped_by_the_next_start() {
    let place = folder();
    let mut server = NatsServer::start(options(place.path())).await.expect("it starts");
    server.stop().await;
    drop(server);
    let mut leftover = std::process::Command::new(tools().nats_server())
        .arg("--config")
        .arg(place.path().join("nats.json"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    let pid_file = place.path().join("nats.pid");
    wait_until("the leftover's own word", || {
        std::fs::read_to_string(&pid_file).is_ok_and(|text| text.trim() == leftover.id().to_string())
    });

    let mut server = NatsServer::start(options(place.path())).await.expect("it starts");
    assert!(server.is_running());
    assert!(!is_alive(leftover.id()));
    leftover.wait().expect("it has ended");
}
