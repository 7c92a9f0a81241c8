//! Creating requests that are sent again.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::fixture::{Fixture, answer, id};

async fn send(fixture: &Fixture, path: &str, key: &str, body: &Value) -> Response {
    fixture.request(Method::POST, path).header("idempotency-key", key).json(body).send().await.unwrap()
}

async fn post(fixture: &Fixture, path: &str, key: &str, body: &Value) -> (u16, Value) {
    answer(send(fixture, path, key, body).await).await
}

async fn count(fixture: &Fixture, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(fixture.database.pool()).await.unwrap()
}

#[tokio::test]
async fn a_repeat_makes_nothing_and_is_answered_alike() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let (_, cancelled) = fixture.post(&format!("/api/v1/runs/{}/cancel", scope.run), &json!({})).await;
    let run = id(&cancelled, "/id");
    let (_, template) =
        fixture.post("/api/v1/prompts", &json!({ "name": "mine", "system": "", "body": "{code}" })).await;
    let template = id(&template, "/id");
    let repository = scope.repository;
    for (path, body, made, rows) in [
        ("/api/v1/repositories".to_owned(), json!({ "url": "https://git.example/b" }), "/run/id", "runs"),
        (format!("/api/v1/repositories/{repository}/runs"), json!({ "documents": [] }), "/id", "runs"),
        (format!("/api/v1/runs/{run}/retry"), json!({}), "/id", "runs"),
        (
            "/api/v1/prompts".to_owned(),
            json!({ "name": "other", "system": "", "body": "{code}" }),
            "/id",
            "prompt_templates",
        ),
        (
            format!("/api/v1/prompts/{template}/versions"),
            json!({ "system": "", "body": "new {code}" }),
            "/id",
            "prompt_versions",
        ),
        (
            "/api/v1/credentials".to_owned(),
            json!({ "name": "c", "host": "git.example", "token": { "user": "git", "token": "secret" } }),
            "/id",
            "credentials",
        ),
        (
            format!("/api/v1/repositories/{repository}/webhooks"),
            json!({ "provider": "github" }),
            "/webhook",
            "webhooks",
        ),
    ] {
        let rows = || {
            count(
                &fixture,
                match rows {
                    "runs" => "SELECT count(*) FROM runs",
                    "prompt_templates" => "SELECT count(*) FROM prompt_templates",
                    "prompt_versions" => "SELECT count(*) FROM prompt_versions",
                    "credentials" => "SELECT count(*) FROM credentials",
                    _ => "SELECT count(*) FROM webhooks",
                },
            )
        };
        let before = rows().await;
        let key = format!("key-of-{}", path.replace('/', "-"));
        let (status, first) = post(&fixture, &path, &key, &body).await;
        assert_eq!(status, 201, "{path}: {first}");
        assert_eq!(rows().await, before + 1, "{path}");
        let audited = count(&fixture, "SELECT count(*) FROM audit_entries").await;
        let (status, again) = post(&fixture, &path, &key, &body).await;
        assert_eq!((status, id(&again, made)), (201, id(&first, made)), "{path}: {again}");
        assert_eq!(again.get("secret"), first.get("secret"), "{path}");
        assert_eq!(rows().await, before + 1, "{path}");
        assert_eq!(count(&fixture, "SELECT count(*) FROM audit_entries").await, audited, "{path}");

        // The key belongs to what was asked for.
        let mut other = body.clone();
        for (field, value) in
            [("name", "another"), ("url", "https://git.example/c"), ("system", "another"), ("provider", "gitea")]
        {
            if let Some(given) = other.get_mut(field) {
                *given = json!(value);
            }
        }
        if other == body {
            other["documents"] = json!([{ "writer": "structural" }]);
        }
        if !path.ends_with("/retry") {
            let (status, problem) = post(&fixture, &path, &key, &other).await;
            assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_key_reused")), "{path}: {problem}");
        }
        assert_eq!(rows().await, before + 1, "{path}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_secret_is_renewed_once() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let hooks = format!("/api/v1/repositories/{}/webhooks", scope.repository);
    let (_, made) = fixture.post(&hooks, &json!({ "provider": "gitea" })).await;
    let path = format!("{hooks}/{}/secret", id(&made, "/webhook"));
    let renew = async |key: &str| {
        let (status, renewed) = post(&fixture, &path, key, &json!({})).await;
        assert_eq!(status, 200, "{renewed}");
        renewed["secret"].as_str().unwrap().to_owned()
    };
    let first = renew("k").await;
    assert_eq!(renew("k").await, first);
    assert_eq!(count(&fixture, "SELECT generation::bigint FROM webhooks").await, 2);
    let renewals = "SELECT count(*) FROM audit_entries WHERE action = 'webhook.secret_renewed'";
    assert_eq!(count(&fixture, renewals).await, 1);
    assert_ne!(renew("l").await, first);
    assert_eq!(count(&fixture, "SELECT generation::bigint FROM webhooks").await, 3);
    fixture.stop().await;
}

#[tokio::test]
async fn keys_are_of_a_user_and_of_a_day() {
    let fixture = Fixture::start().await;
    let body = json!({ "name": "mine", "system": "", "body": "{code}" });
    assert_eq!(post(&fixture, "/api/v1/prompts", "k", &body).await.0, 201);
    let (user, token) = fixture.user("author").await;
    let other = fixture.http.post(format!("{}/api/v1/prompts", fixture.base)).bearer_auth(&token);
    let other = other.header("idempotency-key", "k").json(&json!({ "name": "theirs", "system": "", "body": "{code}" }));
    assert_eq!(answer(other.send().await.unwrap()).await.0, 201, "{user}");
    fixture.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'").await;
    let (status, problem) = post(&fixture, "/api/v1/prompts", "k", &body).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("name_taken")), "forgotten: {problem}");
    let fresh = json!({ "name": "fresh", "system": "", "body": "{code}" });
    assert_eq!(post(&fixture, "/api/v1/prompts", "k", &fresh).await.0, 201);
    assert_eq!(count(&fixture, "SELECT count(*) FROM idempotency_keys").await, 1, "old ones are removed");
    for bad in ["", "with space", &"x".repeat(256)] {
        let (status, problem) = post(&fixture, "/api/v1/prompts", bad, &fresh).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("bad_idempotency_key")), "{bad:?}");
    }
    let (status, problem) = post(&fixture, "/api/v1/prompts", "schlüssel", &fresh).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("malformed_request")), "not taken for no key: {problem}");
    fixture.stop().await;
}

#[tokio::test]
async fn a_refused_request_is_not_remembered() {
    let fixture = Fixture::start().await;
    let refused = json!({ "name": "module documentation of mine", "system": "", "body": "no slot" });
    assert_eq!(post(&fixture, "/api/v1/prompts", "k", &refused).await.0, 422);
    let good = json!({ "name": "mine", "system": "", "body": "{code}" });
    assert_eq!(post(&fixture, "/api/v1/prompts", "k", &good).await.0, 201);
    let token = json!({ "name": "t", "scopes": ["read"], "expires_in_days": 1 });
    assert_eq!(post(&fixture, "/api/v1/tokens", "t", &token).await.0, 201);
    let (status, problem) = post(&fixture, "/api/v1/tokens", "t", &token).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("answer_gone")), "a secret is shown once");
    fixture.stop().await;
}

#[tokio::test]
async fn requests_at_once_make_one_run() {
    let fixture = Fixture::start().await;
    let body = json!({ "url": "https://git.example/a" });
    let requests = (0..12).map(|_| post(&fixture, "/api/v1/repositories", "k", &body));
    let answers = futures::future::join_all(requests).await;
    let made: Vec<_> = answers.iter().filter(|(status, _)| *status == 201).collect();
    assert!(!made.is_empty());
    for (status, said) in &answers {
        let in_use = *status == 409 && said["code"] == "idempotency_key_in_use";
        assert!(in_use || *status == 201 && id(said, "/run/id") == id(&made[0].1, "/run/id"), "{status} {said}");
    }
    assert_eq!(count(&fixture, "SELECT count(*) FROM runs").await, 1);
    fixture.stop().await;
}
