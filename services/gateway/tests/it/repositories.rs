//! Repositories and runs.

use caffeine_testkit::eventually;
use serde_json::{Value, json};

use crate::fixture::{DEADLINE, Fixture, course, id};

#[tokio::test]
async fn adding_starts_a_run_and_publishes_its_messages() {
    let fixture = Fixture::start().await;
    let body = json!({
        "url": "https://git.example/owner/thing.git/",
        "documents": [{ "writer": "structural" }, { "writer": "structural" }],
    });
    let (status, added) = fixture.post("/api/v1/repositories", &body).await;
    assert_eq!(status, 201, "{added}");
    assert_eq!(added["repository"]["url"], "https://git.example/owner/thing.git");
    assert_eq!(added["repository"]["name"], "thing");
    assert_eq!(added["repository"]["ref"], "");
    assert_eq!(added["repository"]["status"], "pending");
    assert_eq!(added["run"]["state"], "pending");
    assert_eq!(added["run"]["documents"].as_array().unwrap().len(), 2);
    assert_eq!(added["run"]["documents"][0]["state"], "requested");
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    assert_eq!((fixture.stored("CLONE").await, fixture.stored("PLANS").await), (1, 2));

    let path = format!("/api/v1/repositories/{}", id(&added, "/repository/id"));
    assert_eq!(fixture.get(&path).await, (200, added["repository"].clone()));
    let (_, older) = fixture.get(&format!("/api/repos/{}", id(&added, "/repository/id"))).await;
    assert_eq!((&older["status"], &older["url"]), (&json!("pending"), &added["repository"]["url"]));
    fixture.stop().await;
}

#[tokio::test]
async fn the_same_address_and_ref_is_the_same_repository() {
    let fixture = Fixture::start().await;
    let add = |body: Value| {
        let fixture = &fixture;
        async move { fixture.post("/api/v1/repositories", &body).await }
    };
    let url = "https://git.example/a";
    let (status, first) = add(json!({ "url": url })).await;
    assert_eq!(status, 201);
    let (status, second) = add(json!({ "url": format!("{url}/"), "name": "another name" })).await;
    assert_eq!(status, 200);
    assert_eq!(second["repository"]["id"], first["repository"]["id"]);
    assert_eq!(second["repository"]["name"], "a");
    assert_eq!(second["run"]["state"], "queued");
    assert_ne!(second["run"]["id"], first["run"]["id"]);
    let (status, third) = add(json!({ "url": url })).await;
    assert_eq!((status, &third["run"]["id"]), (200, &second["run"]["id"]), "one run waits");
    let (status, other) = add(json!({ "url": url, "ref": "dev" })).await;
    assert_eq!(status, 201);
    assert_ne!(other["repository"]["id"], first["repository"]["id"]);

    let runs = format!("/api/v1/repositories/{}/runs", id(&first, "/repository/id"));
    let (status, run) = fixture.post(&runs, &json!({})).await;
    assert_eq!((status, &run["id"]), (200, &second["run"]["id"]));
    let (_, listed) = fixture.get(&runs).await;
    let ids: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|run| &run["id"]).collect();
    assert_eq!(ids, [&second["run"]["id"], &first["run"]["id"]], "newest first");
    fixture.stop().await;
}

#[tokio::test]
async fn many_requests_at_once_make_one_working_and_one_waiting_run() {
    let fixture = Fixture::start().await;
    let body = json!({ "url": "https://git.example/busy" });
    let answers = futures::future::join_all((0..12).map(|_| fixture.post("/api/v1/repositories", &body))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 201)), "{answers:?}");
    let states: Vec<(String, i64)> = sqlx::query_as("SELECT state, count(*) FROM runs GROUP BY state ORDER BY state")
        .fetch_all(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(states, [("pending".to_owned(), 1), ("queued".to_owned(), 1)]);
    fixture.stop().await;
}

#[tokio::test]
async fn the_end_of_a_run_starts_the_waiting_one() {
    let fixture = Fixture::start().await;
    let (first, documents) = fixture.add("https://git.example/a").await;
    let (second, _) = fixture.add("https://git.example/a").await;
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    assert_eq!(fixture.stored("CLONE").await, 1, "the waiting run is not asked for");
    for transition in course(&documents) {
        fixture.report(&first, transition).await;
    }
    fixture.reaches(first.run, "completed").await;
    fixture.reaches(second.run, "pending").await;
    eventually(DEADLINE, || async { fixture.stored("CLONE").await == 2 }).await;
    assert_eq!(fixture.stored("PLANS").await, 2);
    fixture.stop().await;
}

#[tokio::test]
async fn lists_are_read_in_pages() {
    let fixture = Fixture::start().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let (scope, _) = fixture.add(&format!("https://git.example/{number}")).await;
        expected.insert(0, scope.repository.to_string());
    }
    let mut found = Vec::new();
    let mut path = "/api/v1/repositories?limit=2".to_owned();
    loop {
        let (status, page) = fixture.get(&path).await;
        assert_eq!(status, 200);
        let items = page["items"].as_array().unwrap();
        assert!((1..=2).contains(&items.len()));
        found.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/repositories?limit=2&cursor={next}");
    }
    assert_eq!(found, expected);
    fixture.stop().await;
}

#[tokio::test]
async fn bad_requests_are_refused_with_what_to_do() {
    let fixture = Fixture::start().await;
    let url = "https://git.example/a";
    for (body, code, pointer) in [
        (json!({ "url": "file:///etc" }), "url_scheme_refused", "/url"),
        (json!({ "url": "ext::sh" }), "url_scheme_refused", "/url"),
        (json!({ "url": "git@host:a/b.git" }), "url_scheme_refused", "/url"),
        (json!({ "url": "../a" }), "url_scheme_refused", "/url"),
        (json!({ "url": "https://user:secret@git.example/a" }), "url_has_credentials", "/url"),
        (json!({ "url": "nonsense" }), "url_malformed", "/url"),
        (json!({ "url": url, "ref": "--upload-pack=x" }), "ref_malformed", "/ref"),
        (json!({ "url": url, "name": "x".repeat(201) }), "too_long", "/name"),
        (json!({ "url": url, "name": "a\u{0}b" }), "control_character", "/name"),
        (
            json!({ "url": url, "documents": [{ "writer": "template" }] }),
            "template_missing",
            "/documents/0/template_id",
        ),
        (
            json!({ "url": url, "documents": [
                { "writer": "structural" },
                { "writer": "template", "template_id": "00000000-0000-0000-0000-000000000000" },
            ] }),
            "template_unknown",
            "/documents/1/template_id",
        ),
        (
            json!({ "url": url, "documents": (0..21).map(|_| json!({ "writer": "structural" })).collect::<Vec<_>>() }),
            "too_many_documents",
            "/documents",
        ),
    ] {
        let (status, problem) = fixture.post("/api/v1/repositories", &body).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some(code)), "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(!problem.to_string().contains("secret"), "nothing is echoed: {problem}");
    }
    assert_eq!(fixture.get("/api/v1/repositories").await.1["items"], json!([]), "nothing was added");
    let (status, _) = fixture.post("/api/repos", &json!({ "url": "file:///etc" })).await;
    assert_eq!(status, 422, "the older call has the same rules");
    fixture.stop().await;
}
