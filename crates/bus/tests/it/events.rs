use caffeine_contract::{Stream, v1};

use crate::fixture::{Fixture, SOON};

#[tokio::test]
async fn events_arrive_in_order_at_every_receiver() {
    let fixture = Fixture::new().await;
    let event = |done: u32| {
        let progress = v1::StageProgress { stage: "clone".to_owned(), done, total: 50, unit: "batches".to_owned() };
        v1::Event { scope: Some(fixture.scope.to_wire()), event: Some(v1::event::Event::Progress(progress)) }
    };
    fixture.bus.emit("progress", event(0));
    // Stored before the receivers begin, so it is not for them.
    fixture.wait_for(Stream::Events, 1).await;
    let mut receivers =
        [fixture.bus.events().await.unwrap(), fixture.another_bus("other").await.events().await.unwrap()];
    for done in 1..=50 {
        fixture.bus.emit("progress", event(done));
    }
    for receiver in &mut receivers {
        for done in 1..=50 {
            let received = tokio::time::timeout(SOON, receiver.next()).await.unwrap();
            assert_eq!(received.scope, fixture.scope);
            assert_eq!(received.event, event(done));
        }
    }
}

#[tokio::test]
async fn what_is_no_event_is_skipped() {
    let fixture = Fixture::new().await;
    let mut receiver = fixture.bus.events().await.unwrap();
    let subject = fixture.subjects().event(fixture.scope.workspace, fixture.scope.run, "progress");
    fixture.publish_raw(subject, async_nats::HeaderMap::new(), b"\xff\xff").await;
    let event = v1::Event {
        scope: Some(fixture.scope.to_wire()),
        event: Some(v1::event::Event::RunChanged(v1::RunChanged { sequence: 3 })),
    };
    fixture.bus.emit("run", event.clone());
    let received = tokio::time::timeout(SOON, receiver.next()).await.unwrap();
    assert_eq!(received.event, event);
}
