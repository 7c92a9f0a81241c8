//! The whole service on a real bus.

use std::time::Duration;

use caffeine_bus::{Bus, BusConfig, Outgoing, StorageProfile, provision};
use caffeine_chunker::{ChunkerConfig, ChunkerService};
use caffeine_contract::{Stream, Subjects};
use caffeine_kit::{Clients, Service};
use caffeine_model::Generation;
use caffeine_store::Store;
use caffeine_testkit::{TestBus, eventually};
use tokio_util::sync::CancellationToken;

use crate::fixture::{BATCHES, Fixture};

const SOON: Duration = Duration::from_secs(30);

async fn messages(broker: &TestBus, stream: Stream) -> u64 {
    let name = Subjects::new(broker.prefix()).stream(stream);
    broker.jetstream().get_stream(name).await.unwrap().info().await.unwrap().state.messages
}

#[tokio::test]
async fn batches_become_chunks_a_graph_and_the_end_of_the_stage() {
    let mut fixture = Fixture::new(&BATCHES).await;
    let broker = TestBus::connect().await;
    let config = BusConfig {
        url: broker.url().to_owned(),
        prefix: broker.prefix().to_owned(),
        name: "chunker".to_owned(),
        nkey: None,
    };
    let bus = Bus::connect(&config).await.unwrap();
    provision(&bus, StorageProfile::Embedded).await.unwrap();
    let store = Store::connect(fixture.database.url(), 4, "chunker").await.unwrap();
    let clients = Clients { bus: bus.clone(), store };
    let service = ChunkerService::from_config(ChunkerConfig::default(), clients).await.unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(shutdown.clone()));

    // Every message twice: the second time as a repeat that the broker does not recognise.
    for generation in [0, 1] {
        fixture.scope.generation = Generation(generation);
        bus.try_publish(&Outgoing::new(&fixture.scope, fixture.listed(3))).await.unwrap();
        for (number, files) in (0..).zip(BATCHES) {
            let mut message = fixture.batch(number, files);
            if number == 1 {
                message.raw_bytes += 1;
            }
            bus.try_publish(&Outgoing::new(&fixture.scope, message)).await.unwrap();
        }
    }
    let all_done = async || {
        messages(&broker, Stream::Files).await == 0
            && messages(&broker, Stream::Link).await == 0
            // One per batch and generation, the failed one too.
            && messages(&broker, Stream::Chunks).await == 6
            && messages(&broker, Stream::Plans).await >= 1
            && messages(&broker, Stream::State).await >= 1
    };
    eventually(SOON, all_done).await;
    assert_eq!(messages(&broker, Stream::Dead).await, 2);
    assert_eq!(fixture.count("SELECT count(*) FROM file_batches WHERE failure_reason IS NULL").await, 2);
    assert_eq!(fixture.count("SELECT count(*) FROM file_batches WHERE failure_reason IS NOT NULL").await, 1);
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_runs WHERE linked_at IS NOT NULL").await, 1);
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions").await, 4);
    assert!(fixture.count("SELECT count(*) FROM edges").await > 0);

    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[test]
fn the_settings_name_what_is_wrong() {
    let config: ChunkerConfig = serde_json::from_str(r#"{"threads": 2}"#).unwrap();
    assert_eq!(config, ChunkerConfig { threads: 2, ..ChunkerConfig::default() });
    let error = serde_json::from_str::<ChunkerConfig>(r#"{"treads": 2}"#).unwrap_err().to_string();
    assert!(error.contains("treads"), "{error}");
}
