use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use caffeine_bus::{BusError, StorageProfile, Worker, provision, verify, verify_service};
use caffeine_contract::table::{CONSUMERS, STREAMS};
use caffeine_contract::{Service, Stream};

use crate::fixture::{Fixture, Script, quick};

#[tokio::test]
async fn a_second_time_changes_nothing() {
    let fixture = Fixture::unprovisioned().await;
    let laned = CONSUMERS.iter().filter(|spec| spec.laned).count();
    let all = STREAMS.len() + CONSUMERS.len() + laned;
    let first = provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
    assert_eq!((first.created.len(), first.updated.len(), first.unchanged), (all, 0, 0));
    let second = provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
    assert_eq!((second.created, second.updated, second.unchanged), (vec![], vec![], all));
}

#[tokio::test]
async fn what_differs_is_put_right() {
    let fixture = Fixture::new().await;
    let name = fixture.stream(Stream::Dead);
    let found = fixture.broker.jetstream().get_stream(&name).await.unwrap().cached_info().config.clone();
    let changed = Config { max_age: Duration::from_secs(25 * 3600), ..found };
    fixture.broker.jetstream().update_stream(changed).await.unwrap();
    fixture.set_ack_wait(caffeine_contract::Consumer::Chunker, Duration::from_secs(1)).await;
    let report = provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
    assert_eq!(report.updated, [name, format!("{}/chunker-i", fixture.stream(Stream::Files))]);
}

/// The reader of an earlier version: it would keep its successor from being made.
#[tokio::test]
async fn readers_that_the_contract_does_not_know_make_room() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(2).await;
    let stream = fixture.broker.jetstream().get_stream(fixture.stream(Stream::Files)).await.unwrap();
    stream.delete_consumer("chunker-i").await.unwrap();
    stream.delete_consumer("chunker-b").await.unwrap();
    let earlier = pull::Config { durable_name: Some("chunker".to_owned()), ..pull::Config::default() };
    stream.create_consumer(earlier).await.unwrap();
    let report = provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
    let name = fixture.stream(Stream::Files);
    assert_eq!(report.removed, [format!("{name}/chunker")]);
    assert_eq!(report.created, [format!("{name}/chunker-i"), format!("{name}/chunker-b")]);
    assert_eq!(fixture.count(Stream::Files).await, 2, "its messages stay");
}

#[tokio::test]
async fn another_retention_is_refused() {
    let fixture = Fixture::unprovisioned().await;
    let name = fixture.stream(Stream::Files);
    let subjects = fixture.subjects().stored(Stream::Files.spec());
    let config = Config { name: name.clone(), subjects, retention: RetentionPolicy::Limits, ..Config::default() };
    fixture.broker.jetstream().create_stream(config).await.unwrap();
    let error = provision(&fixture.bus, StorageProfile::Embedded).await.unwrap_err();
    let BusError::Broker { action, source } = error else { panic!("{error}") };
    assert!(action.contains(&name) && source.to_string().contains("retention"), "{action}: {source}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let fixture = Fixture::unprovisioned().await;
    let error = verify(&fixture.bus).await.unwrap_err().to_string();
    for name in ["FILES", "chunker-i", "writer-b", "caffeine provision"] {
        assert!(error.contains(name), "{error}");
    }
    let error = verify_service(&fixture.bus, Service::Cloner).await.unwrap_err().to_string();
    assert!(error.contains("cloner") && !error.contains("chunker"), "{error}");
    let worker = Worker::new(fixture.bus.clone(), caffeine_contract::Consumer::Chunker, fixture.inbox.clone())
        .with_spec(quick())
        .handle::<caffeine_contract::v1::FilesBatch, _>(Script::simple());
    let refused = worker.run(tokio_util::sync::CancellationToken::new()).await;
    assert!(matches!(refused, Err(BusError::Missing { .. })));

    provision(&fixture.bus, StorageProfile::Embedded).await.unwrap();
    verify(&fixture.bus).await.unwrap();
    for service in Service::ALL {
        verify_service(&fixture.bus, service).await.unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_without_its_password() {
    let config = caffeine_bus::BusConfig {
        url: "nats://user:s3cret@not an address".to_owned(),
        prefix: String::new(),
        name: "test".to_owned(),
        nkey: None,
    };
    let error = caffeine_bus::Bus::connect(&config).await.unwrap_err();
    let chain = format!("{error}: {:?}", std::error::Error::source(&error));
    assert!(!chain.contains("s3cret") && chain.contains("not an address"), "{chain}");
}
