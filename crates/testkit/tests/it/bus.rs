//! Prefixes of tests.

use async_nats::jetstream::stream;
use caffeine_testkit::TestBus;

#[tokio::test]
async fn a_test_leaves_its_own_streams_and_only_those() {
    let (ours, other) = tokio::join!(TestBus::connect(), TestBus::connect());
    assert_ne!(ours.prefix(), other.prefix());
    for bus in [&ours, &other] {
        let prefix = bus.prefix();
        let by_name = stream::Config {
            name: format!("{}_FILES", prefix.to_uppercase()),
            subjects: vec![format!("named.{prefix}")],
            ..Default::default()
        };
        let by_subject = stream::Config {
            name: format!("SOMETHING_{prefix}"),
            subjects: vec![format!("{prefix}.caffeine.>")],
            ..Default::default()
        };
        for config in [by_name, by_subject] {
            bus.jetstream().create_stream(config).await.expect("it is created");
        }
    }
    assert_eq!(ours.streams().await.len(), 2);
    let (context, prefix) = (other.jetstream(), ours.prefix().to_owned());
    drop(ours);
    assert_eq!(other.streams().await.len(), 2);
    assert!(context.get_stream(format!("SOMETHING_{prefix}")).await.is_err());
    assert!(context.get_stream(format!("{}_FILES", prefix.to_uppercase())).await.is_err());
}
