//! The whole service on a real bus.

use std::sync::Arc;
use std::time::Duration;

use caffeine_bus::{Bus, BusConfig, Outgoing, StorageProfile, provision};
use caffeine_contract::{Stream, Subjects};
use caffeine_embedder::{EmbedderConfig, EmbedderService};
use caffeine_embedding::{EmbedError, Embedder, Embedding};
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

async fn clients(fixture: &Fixture, broker: &TestBus) -> Clients {
    let config = BusConfig {
        url: broker.url().to_owned(),
        prefix: broker.prefix().to_owned(),
        name: "embedder".to_owned(),
        nkey: None,
    };
    let bus = Bus::connect(&config).await.unwrap();
    provision(&bus, StorageProfile::Embedded).await.unwrap();
    Clients { bus, store: Store::connect(fixture.database.url(), 4, "embedder").await.unwrap() }
}

#[tokio::test]
async fn batches_become_an_index_and_the_end_of_the_stage() {
    let mut fixture = Fixture::new(&BATCHES).await;
    let broker = TestBus::connect().await;
    let clients = clients(&fixture, &broker).await;
    let bus = clients.bus.clone();
    let service = EmbedderService::from_config(EmbedderConfig::default(), clients).await.unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(shutdown.clone()));

    // Every message twice: the second time as a repeat that the broker does not recognise.
    for generation in [0, 1] {
        fixture.scope.generation = Generation(generation);
        for (number, files) in (0..).zip(BATCHES) {
            let mut message = fixture.batch(number, files);
            if number == 1 {
                message.raw_bytes += 1;
            }
            bus.try_publish(&Outgoing::new(&fixture.scope, message)).await.unwrap();
        }
        bus.try_publish(&Outgoing::new(&fixture.scope, fixture.listed(3))).await.unwrap();
    }
    let all_done = async || {
        messages(&broker, Stream::Chunks).await == 0
            && messages(&broker, Stream::Plans).await >= 1
            && messages(&broker, Stream::State).await >= 1
    };
    eventually(SOON, all_done).await;
    assert_eq!(messages(&broker, Stream::Dead).await, 2);
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_batches WHERE failure_reason IS NULL").await, 2);
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_batches WHERE failure_reason IS NOT NULL").await, 1);
    assert_eq!(fixture.count("SELECT count(*) FROM embed_runs WHERE indexed_at IS NOT NULL").await, 1);
    assert_eq!(fixture.count("SELECT count(*) FROM chunks").await, 4);

    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_model_of_another_length_is_refused_at_the_start() {
    struct Short;
    impl Embedder for Short {
        fn model(&self) -> &str {
            "short"
        }

        fn dimensions(&self) -> usize {
            3
        }

        fn embed(&self, _texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
            Ok(Vec::new())
        }
    }
    let fixture = Fixture::new(&[]).await;
    let broker = TestBus::connect().await;
    let clients = clients(&fixture, &broker).await;
    let started = EmbedderService::from_parts(&EmbedderConfig::default(), clients, Arc::new(Short)).await;
    let error = started.err().expect("it does not start").to_string();
    assert!(error.contains("`short`") && error.contains('3') && error.contains("256"), "{error}");
}
