//! Runs that are ended by people: cancelled, superseded, deleted with their repository.

use caffeine_contract::v1;
use caffeine_testkit::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use v1::run_transition::Transition;

use crate::fixture::{DEADLINE, Fixture, answer, course, id};

async fn cancel(fixture: &Fixture, run: impl std::fmt::Display) -> (u16, Value) {
    fixture.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await
}

async fn delete(fixture: &Fixture, repository: impl std::fmt::Display) -> (u16, Value) {
    let request = fixture.request(Method::DELETE, &format!("/api/v1/repositories/{repository}"));
    answer(request.send().await.unwrap()).await
}

async fn state(fixture: &Fixture, run: impl std::fmt::Display) -> String {
    let (_, run) = fixture.get(&format!("/api/v1/runs/{run}")).await;
    run["state"].as_str().unwrap_or_default().to_owned()
}

/// The names of a run's events, in order.
async fn events(fixture: &Fixture, run: Uuid) -> Vec<String> {
    sqlx::query_scalar("SELECT transition FROM run_events WHERE run_id = $1 ORDER BY sequence")
        .bind(run)
        .fetch_all(fixture.database.pool())
        .await
        .unwrap()
}

/// How many runs there are in each state.
async fn states(fixture: &Fixture) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT state, count(*) FROM runs GROUP BY state ORDER BY state")
        .fetch_all(fixture.database.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_cancelled_run_ends_and_the_queued_one_starts() {
    let fixture = Fixture::start().await;
    let (first, documents) = fixture.add("https://git.example/a").await;
    let (second, _) = fixture.add("https://git.example/a").await;
    fixture.report(&first, Transition::CloneStarted(v1::CloneStarted {})).await;
    fixture.reaches(first.run, "cloning").await;

    let (status, run) = cancel(&fixture, first.run).await;
    assert_eq!((status, &run["state"], &run["documents"][0]["state"]), (202, &json!("cancelled"), &json!("cancelled")));
    assert!(run["ended_at"].is_string() && run.get("failure").is_none(), "{run}");
    assert_eq!(state(&fixture, second.run).await, "pending", "by the same transaction");
    eventually(DEADLINE, || async { fixture.outbox().await == 0 && fixture.stored("CONTROL").await == 1 }).await;
    assert_eq!(cancel(&fixture, first.run).await.0, 200, "as often as one likes");

    // What its stages still say is nobody's business any more.
    for transition in course(&documents) {
        fixture.report(&first, transition).await;
    }
    eventually(DEADLINE, || async { fixture.stored("STATE").await == 0 }).await;
    assert_eq!(events(&fixture, first.run.as_uuid()).await, ["clone_started", "cancelled"]);
    assert_eq!(state(&fixture, first.run).await, "cancelled");
    assert_eq!(fixture.stored("DEAD").await, 0);
    fixture.stop().await;
}

#[tokio::test]
async fn what_has_ended_otherwise_or_does_not_exist_cannot_be_cancelled() {
    let fixture = Fixture::start().await;
    let (scope, documents) = fixture.add("https://git.example/a").await;
    for transition in course(&documents) {
        fixture.report(&scope, transition).await;
    }
    fixture.reaches(scope.run, "completed").await;
    let before = fixture.get(&format!("/api/v1/runs/{}", scope.run)).await;
    let (status, problem) = cancel(&fixture, scope.run).await;
    assert_eq!((status, &problem["code"]), (409, &json!("run_ended")));
    assert!(problem["detail"].as_str().unwrap().contains("completed"), "{problem}");
    assert_eq!(fixture.get(&format!("/api/v1/runs/{}", scope.run)).await, before);
    assert_eq!(cancel(&fixture, Uuid::now_v7()).await.0, 404);
    assert_eq!(fixture.stored("CONTROL").await, 0);
    fixture.stop().await;
}

#[tokio::test]
async fn a_queued_run_is_cancelled_without_a_word_to_anybody() {
    let fixture = Fixture::start().await;
    let (working, _) = fixture.add("https://git.example/a").await;
    let (queued, _) = fixture.add("https://git.example/a").await;
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    assert_eq!(cancel(&fixture, queued.run).await.0, 202);
    assert_eq!(state(&fixture, working.run).await, "pending");
    let (next, _) = fixture.add("https://git.example/a").await;
    assert_ne!(next.run, queued.run);
    assert_eq!(states(&fixture).await, [("cancelled".into(), 1), ("pending".into(), 1), ("queued".into(), 1)]);
    assert_eq!((fixture.outbox().await, fixture.stored("CONTROL").await), (0, 0));
    fixture.stop().await;
}

#[tokio::test]
async fn what_was_not_published_yet_is_not_published_after_a_cancel() {
    let fixture = Fixture::start().await;
    // As if the broker had no room.
    fixture
        .execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.not_before := now() + interval ''1 hour''; RETURN NEW; END';
             CREATE TRIGGER wait BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.kind <> 'control')
                 EXECUTE FUNCTION wait()",
        )
        .await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    assert_eq!(fixture.outbox().await, 2);
    assert_eq!(cancel(&fixture, scope.run).await.0, 202);
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    assert_eq!((fixture.stored("CLONE").await, fixture.stored("CONTROL").await), (0, 1));
    fixture.stop().await;
}

#[tokio::test]
async fn a_request_for_other_documents_takes_the_place_of_the_queued_run() {
    let fixture = Fixture::start().await;
    let (working, _) = fixture.add("https://git.example/a").await;
    let (queued, _) = fixture.add("https://git.example/a").await;
    let runs = format!("/api/v1/repositories/{}/runs", working.repository);
    let (status, same) = fixture.post(&runs, &json!({ "documents": [{ "writer": "structural" }] })).await;
    assert_eq!((status, &same["id"]), (200, &json!(queued.run.to_string())), "the same documents");

    let (status, newer) = fixture.post(&runs, &json!({ "documents": [] })).await;
    assert_eq!((status, &newer["state"]), (201, &json!("queued")));
    let (_, older) = fixture.get(&format!("/api/v1/runs/{}", queued.run)).await;
    assert_eq!((&older["state"], &older["documents"][0]["state"]), (&json!("superseded"), &json!("cancelled")));
    let payload: Value = sqlx::query_scalar("SELECT payload FROM run_events WHERE run_id = $1")
        .bind(queued.run.as_uuid())
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(payload, json!({ "run_id": newer["id"] }));
    assert_eq!(state(&fixture, working.run).await, "pending", "the working one goes on");
    let (status, again) = fixture.post(&runs, &json!({ "documents": [] })).await;
    assert_eq!((status, &again["id"]), (200, &newer["id"]));
    assert_eq!(cancel(&fixture, queued.run).await.0, 409, "it has ended already");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_different_requests_at_once_leave_one_working_and_one_waiting_run() {
    let fixture = Fixture::start().await;
    let (working, documents) = fixture.add("https://git.example/busy").await;
    let runs = format!("/api/v1/repositories/{}/runs", working.repository);
    let requests = (0..20).map(|number| {
        let documents: Vec<Value> = (0..number % 4).map(|_| json!({ "writer": "structural" })).collect();
        let body = json!({ "documents": documents });
        let (fixture, runs) = (&fixture, &runs);
        async move { fixture.post(runs, &body).await }
    });
    let finish = async {
        for transition in course(&documents) {
            fixture.report(&working, transition).await;
        }
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(requests), finish);
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 201)), "{answers:?}");
    fixture.reaches(working.run, "completed").await;
    let live: Vec<String> = sqlx::query_scalar("SELECT state FROM runs WHERE ended_at IS NULL ORDER BY state")
        .fetch_all(fixture.database.pool())
        .await
        .unwrap();
    assert!(matches!(live.as_slice(), [one] if one == "pending") || live == ["pending", "queued"], "{live:?}");
    let ended = states(&fixture).await;
    let known = ["completed", "pending", "queued", "superseded"];
    assert!(ended.iter().all(|(state, _)| known.contains(&state.as_str())), "{ended:?}");
    fixture.stop().await;
}

#[tokio::test]
async fn a_deleted_repository_is_hidden_at_once_and_gone_soon() {
    let fixture = Fixture::start().await;
    let (other, _) = fixture.add("https://git.example/other").await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let (queued, _) = fixture.add("https://git.example/a").await;
    fixture.report(&scope, Transition::CloneStarted(v1::CloneStarted {})).await;
    fixture.reaches(scope.run, "cloning").await;

    let path = format!("/api/v1/repositories/{}", scope.repository);
    let (status, body) = delete(&fixture, scope.repository).await;
    assert_eq!((status, body), (202, json!({ "id": scope.repository.to_string(), "status": "deleting" })));
    assert_eq!(fixture.get(&path).await.0, 404);
    assert_eq!(fixture.get(&format!("{path}/runs")).await.0, 404);
    assert_eq!(fixture.post(&format!("{path}/runs"), &json!({})).await.0, 404);
    let (_, listed) = fixture.get("/api/v1/repositories").await;
    let ids: Vec<Uuid> = listed["items"].as_array().unwrap().iter().map(|item| id(item, "/id")).collect();
    assert_eq!(ids, [other.repository.as_uuid()]);
    assert_eq!(fixture.get("/api/repos").await.1.as_array().unwrap().len(), 1);

    // The address is free for a new one before the old rows are gone.
    let (anew, _) = fixture.add("https://git.example/a").await;
    assert_ne!(anew.repository, scope.repository);

    eventually(DEADLINE, || async { delete(&fixture, scope.repository).await.0 == 404 }).await;
    for run in [scope.run, queued.run] {
        assert_eq!(fixture.get(&format!("/api/v1/runs/{run}")).await.0, 404);
    }
    let runs: Vec<Uuid> =
        sqlx::query_scalar("SELECT run_id FROM runs ORDER BY run_id").fetch_all(fixture.database.pool()).await.unwrap();
    assert_eq!(runs, [other.run.as_uuid(), anew.run.as_uuid()], "only rows of the others are left");
    // Of each run at most a command to cancel, and the one to delete, which goes out before the rows go.
    let control = fixture.nats.jetstream().get_stream(format!("{}_CONTROL", fixture.nats.prefix())).await.unwrap();
    let subject = format!("{}.caffeine.v1.control.delete.{}", fixture.nats.prefix(), scope.repository);
    control.get_last_raw_message_by_subject(&subject).await.expect("every pod is told");
    assert_eq!(delete(&fixture, Uuid::now_v7()).await.0, 404);
    assert_eq!(state(&fixture, other.run).await, "pending");
    fixture.stop().await;
}

#[tokio::test]
async fn rows_stay_until_every_pod_can_know() {
    let fixture = Fixture::start().await;
    fixture
        .execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.not_before := now() + interval ''1 hour''; RETURN NEW; END';
             CREATE TRIGGER wait BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.repository_id IS NOT NULL)
                 EXECUTE FUNCTION wait()",
        )
        .await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    assert_eq!(delete(&fixture, scope.repository).await.0, 202);
    fixture.reaches(scope.run, "cancelled").await;
    eventually(DEADLINE, || async { fixture.stored("CONTROL").await == 1 && fixture.outbox().await == 1 }).await;
    let rows = "SELECT count(*) FROM repositories";
    let left: i64 = sqlx::query_scalar(rows).fetch_one(fixture.database.pool()).await.unwrap();
    assert_eq!(left, 1, "the command waits, so the rows do");
    fixture.execute("UPDATE outbox SET not_before = now()").await;
    eventually(DEADLINE, || async {
        let left: i64 = sqlx::query_scalar(rows).fetch_one(fixture.database.pool()).await.unwrap();
        left == 0 && fixture.stored("CONTROL").await == 2
    })
    .await;
    fixture.stop().await;
}
