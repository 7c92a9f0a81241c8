//! What the broker itself says about when it writes to the disk.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use caffeine_servers::nats::{NatsOptions, NatsServer};
use serde_json::Value;

use crate::{folder, tools};

/// A number without quotes would be read as so many seconds, and the default writes every two minutes: what was
/// acknowledged since then is lost with the power. So the broker is asked what it has understood.
#[tokio::test]
async fn a_server_syncs_when_it_was_told_to() {
    for sync_always in [true, false] {
        let place = folder();
        let options = NatsOptions {
            tools: tools(),
            data_dir: place.path().join("nats"),
            port: 0,
            max_store_bytes: 1 << 30,
            sync_always,
            monitor: true,
        };
        let server = NatsServer::start(options).await.expect("it starts");
        let config = &ask(&server)["config"];
        let always = config["sync_always"].as_bool().unwrap_or_default();
        let interval = config["sync_interval"].as_u64().unwrap_or_default();
        assert_eq!(always, sync_always, "{config}");
        // In nanoseconds; never the days that a misread number makes.
        assert!(interval <= 120_000_000_000, "{config}");
    }
}

/// `GET /jsz`, without what a client library would add.
fn ask(server: &NatsServer) -> Value {
    let url = server.monitor_url().expect("it was asked for");
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("the endpoint listens");
    stream.write_all(b"GET /jsz HTTP/1.0\r\n\r\n").expect("the endpoint reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the endpoint answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}
