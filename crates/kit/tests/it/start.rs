use caffeine_bus::{Bus, StorageProfile, provision};
use caffeine_contract::Service as Name;
use caffeine_kit::{Health, Telemetry, connect};
use caffeine_store::Store;
use caffeine_testkit::{TestBus, TestDatabase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::settings;

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_service_starts_only_on_what_it_was_built_for() {
    let (bus, empty) = (TestBus::connect().await, TestDatabase::create_empty().await);
    let mut settings = settings(&bus, &empty);

    let refused = format!("{:#}", connect(Name::Chunker, &settings).await.err().unwrap());
    assert!(refused.contains("caffeine migrate"), "{refused}");
    Store::connect(empty.url(), 1, "test").await.unwrap().migrate().await.unwrap();

    let refused = format!("{:#}", connect(Name::Chunker, &settings).await.err().unwrap());
    assert!(refused.contains("caffeine provision") && refused.contains("chunker-i"), "{refused}");
    let admin = Bus::connect(&settings.bus_config("provisioner").unwrap()).await.unwrap();
    provision(&admin, StorageProfile::Embedded).await.unwrap();
    connect(Name::Chunker, &settings).await.unwrap();

    settings.database_url = None;
    let refused = format!("{:#}", connect(Name::Chunker, &settings).await.err().unwrap());
    assert!(refused.contains("CAFFEINE_DATABASE_URL"), "{refused}");
}

#[tokio::test]
async fn health_follows_the_clients() {
    let (bus, database) = (TestBus::connect().await, TestDatabase::create().await);
    let settings = settings(&bus, &database);
    let telemetry = Telemetry::install("test", &settings).unwrap();
    let admin = Bus::connect(&settings.bus_config("provisioner").unwrap()).await.unwrap();
    provision(&admin, StorageProfile::Embedded).await.unwrap();
    let clients = connect(Name::Chunker, &settings).await.unwrap();

    let health = Health::new();
    health.add_clients(&clients);
    let stop = CancellationToken::new();
    let address = health.serve(settings.health_listen, Some(telemetry), stop.clone()).await.unwrap();
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    let ready = get(address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains(r#""bus":"ok""#), "{ready}");
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains("caffeine_nats_events_total") && metrics.contains(r#"kind="connected""#), "{metrics}");
    assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));

    clients.store.close().await;
    let away = get(address, "/readyz").await;
    assert!(away.starts_with("HTTP/1.1 503") && away.contains(r#""database":"reach"#), "{away}");
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"), "it lives");
    stop.cancel();
}
