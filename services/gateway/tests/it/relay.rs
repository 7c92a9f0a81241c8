//! The outbox relay.

use caffeine_bus::Outgoing;
use caffeine_contract::Scope;
use caffeine_contract::v1;
use caffeine_model::RunId;
use caffeine_testkit::eventually;

use crate::fixture::{DEADLINE, Fixture, course};

#[tokio::test]
async fn a_full_window_holds_up_nobody_else() {
    let fixture = Fixture::start().await;
    let (first, documents) = fixture.add("https://git.example/full").await;
    fixture.add("https://git.example/full").await;
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    // The window of a repository has room for two; nobody reads here.
    let other = Scope { run: RunId::generate(), ..first.clone() };
    fixture.bus.try_publish(&Outgoing::new(&other, v1::CloneRequested::default())).await.unwrap();
    for transition in course(&documents) {
        fixture.report(&first, transition).await;
    }
    // The second run starts: its document goes out, its request to clone has no room.
    eventually(DEADLINE, || async { fixture.stored("PLANS").await == 2 && fixture.outbox().await == 1 }).await;
    fixture.add("https://git.example/other").await;
    eventually(DEADLINE, || async { fixture.stored("CLONE").await == 3 && fixture.outbox().await == 1 }).await;
    let (kind, attempts): (String, i32) =
        sqlx::query_as("SELECT kind, failed_attempts FROM outbox").fetch_one(fixture.database.pool()).await.unwrap();
    assert_eq!(kind, "clone.requested");
    assert!(attempts >= 1);
    // Room again.
    let stream = fixture.nats.jetstream().get_stream(format!("{}_CLONE", fixture.nats.prefix())).await.unwrap();
    stream.purge().await.unwrap();
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    assert_eq!(fixture.stored("CLONE").await, 1);
    fixture.stop().await;
}

#[tokio::test]
async fn rows_that_are_no_messages_wait_and_hold_up_nobody() {
    let fixture = Fixture::start().await;
    fixture.add("https://git.example/a").await;
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    fixture
        .execute(
            "INSERT INTO outbox (outbox_id, workspace_id, run_id, kind, body)
             SELECT gen_random_uuid(), workspace_id, run_id, kind, body FROM runs,
                 (VALUES ('clone.requested', '\\xff'::bytea), ('files.batch', ''::bytea), ('nonsense', ''::bytea))
                     AS broken (kind, body)",
        )
        .await;
    fixture.add("https://git.example/b").await;
    eventually(DEADLINE, || async { fixture.stored("CLONE").await == 2 && fixture.outbox().await == 3 }).await;
    fixture.stop().await;
}

#[tokio::test]
async fn what_a_dead_relay_had_taken_is_published_by_the_next() {
    let fixture = Fixture::start().await;
    // As if another pod had taken the rows and died.
    fixture
        .execute(
            "CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.not_before := now() + interval ''2 seconds''; RETURN NEW; END';
             CREATE TRIGGER take BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION take()",
        )
        .await;
    fixture.add("https://git.example/a").await;
    assert_eq!(fixture.outbox().await, 2);
    assert_eq!(fixture.stored("CLONE").await, 0);
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    assert_eq!((fixture.stored("CLONE").await, fixture.stored("PLANS").await), (1, 1));
    fixture.stop().await;
}
