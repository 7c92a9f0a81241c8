//! All runs of the workspace, asking for one again, and what one consists of.

use caffeine_contract::v1;
use caffeine_testkit::eventually;
use reqwest::Method;
use serde_json::json;
use v1::run_transition::Transition;

use crate::fixture::{DEADLINE, Fixture, course};

#[tokio::test]
async fn every_run_is_listed_with_its_repository() {
    let fixture = Fixture::start().await;
    let (first, _) = fixture.add("https://git.example/one").await;
    let (second, documents) = fixture.add("https://git.example/two").await;
    for transition in course(&documents) {
        fixture.report(&second, transition).await;
    }
    fixture.reaches(second.run, "completed").await;
    let names = |body: &serde_json::Value| -> Vec<String> {
        let items = body["items"].as_array().unwrap();
        items.iter().map(|run| run["repository_name"].as_str().unwrap().to_owned()).collect()
    };
    let (status, all) = fixture.get("/api/v1/runs").await;
    assert_eq!((status, names(&all)), (200, vec!["two".to_owned(), "one".to_owned()]));
    let (_, done) = fixture.get("/api/v1/runs?state=completed").await;
    assert_eq!(names(&done), ["two"]);
    assert_eq!(fixture.get("/api/v1/runs?state=anything").await.0, 400);
    let (_, page) = fixture.get("/api/v1/runs?limit=1").await;
    assert_eq!(names(&page), ["two"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, rest) = fixture.get(&format!("/api/v1/runs?limit=1&cursor={cursor}")).await;
    assert_eq!(names(&rest), ["one"]);
    assert!(rest.get("next_cursor").is_none());
    // A repository that is being deleted shows nothing any more.
    let path = format!("/api/v1/repositories/{}", first.repository);
    fixture.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(names(&fixture.get("/api/v1/runs").await.1), ["two"]);
    fixture.stop().await;
}

#[tokio::test]
async fn an_ended_run_is_asked_for_again() {
    let fixture = Fixture::start().await;
    let (_, prompts) = fixture.get("/api/v1/prompts").await;
    let wanted = json!({ "url": "https://git.example/a", "documents": [
        { "writer": "template", "template_id": prompts["items"][0]["id"], "style": "terse", "query": "q" },
        { "writer": "structural" },
    ] });
    let (_, added) = fixture.post("/api/v1/repositories", &wanted).await;
    let run = added["run"]["id"].as_str().unwrap();
    let retry = format!("/api/v1/runs/{run}/retry");
    let (status, problem) = fixture.post(&retry, &json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("run_works")));

    fixture.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await;
    let (status, again) = fixture.post(&retry, &json!({})).await;
    assert_eq!((status, &again["state"]), (201, &json!("pending")), "{again}");
    assert_ne!(again["id"], run);
    let titles = |run: &serde_json::Value| -> Vec<_> {
        let documents = run["documents"].as_array().unwrap();
        documents.iter().map(|one| (one["title"].clone(), one["template_version_id"].clone())).collect()
    };
    assert_eq!(titles(&again), titles(&added["run"]));
    eventually(DEADLINE, || async { fixture.stored("PLANS").await >= 2 }).await;

    // Another one waits behind it, and the same wish finds that one.
    let (status, queued) = fixture.post(&retry, &json!({})).await;
    assert_eq!((status, &queued["state"]), (201, &json!("queued")));
    let (status, found) = fixture.post(&retry, &json!({})).await;
    assert_eq!((status, &found["id"]), (200, &queued["id"]));
    let unknown = format!("/api/v1/runs/{}/retry", uuid::Uuid::nil());
    assert_eq!(fixture.post(&unknown, &json!({})).await.0, 404);
    fixture.stop().await;
}

#[tokio::test]
async fn the_rows_of_the_stages_are_a_runs_tasks() {
    let fixture = Fixture::start().await;
    let document = crate::documents::with_document(&fixture).await;
    let (_, runs) = fixture.get("/api/v1/runs").await;
    let path = format!("/api/v1/runs/{}/tasks", runs["items"][0]["id"].as_str().unwrap());
    fixture
        .execute(
            "UPDATE snapshot_files SET batch = 0;
             INSERT INTO chunk_runs (run_id, workspace_id) SELECT run_id, workspace_id FROM runs;
             INSERT INTO file_batches (run_id, batch, workspace_id, failure_reason)
             SELECT run_id, 0, workspace_id, 'It was too odd.' FROM runs",
        )
        .await;
    let page = caffeine_model::WorkId::derive(
        runs["items"][0]["id"].as_str().unwrap().parse().unwrap(),
        "page.requested",
        &format!("{document}/module-a"),
    );
    sqlx::query(
        "INSERT INTO document_inbox (work_id, workspace_id, run_id, attempts)
         SELECT $1, workspace_id, run_id, 4 FROM runs",
    )
    .bind(page.as_uuid())
    .execute(fixture.database.pool())
    .await
    .unwrap();
    let (status, tasks) = fixture.get(&path).await;
    assert_eq!(status, 200, "{tasks}");
    let seen: Vec<_> = tasks["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| ["kind", "name", "state", "detail"].map(|field| task[field].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(
        seen,
        [
            ["batch", "Batch 1", "failed", "It was too odd."],
            ["link", "Link", "waiting", ""],
            ["document", "Reference", "waiting", ""],
            ["page", "index", "done", "index"],
            ["page", "module-a", "failed", "No words."],
        ]
    );
    assert_eq!(tasks["items"][4]["attempts"], 4);
    assert!(tasks["items"][4]["updated_at"].is_string() && tasks["items"][3].get("updated_at").is_none());
    let failure = v1::Failure { code: "gone".to_owned(), reason: "Gone.".to_owned() };
    let failed = v1::StageFailed { stage: "clone".to_owned(), failure: Some(failure) };
    let scope = fixture
        .scope(
            runs["items"][0]["repository_id"].as_str().unwrap().parse().unwrap(),
            runs["items"][0]["id"].as_str().unwrap().parse().unwrap(),
        )
        .await;
    fixture.report(&scope, Transition::Failed(failed)).await;
    fixture.reaches(scope.run, "failed").await;
    assert_eq!(fixture.get(&path).await.1["items"][1]["state"], "cancelled");
    fixture.stop().await;
}
