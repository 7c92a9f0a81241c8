//! The audit log.

use std::collections::BTreeSet;

use caffeine_store::gateway::{Actor, AuditCheck, Entry};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Fixture, id};
use crate::sessions::Browser;

async fn entries(fixture: &Fixture, query: &str) -> Vec<Value> {
    let (status, page) = fixture.get(&format!("/api/v1/audit?limit=200{query}")).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn whoever_changes_something_stands_in_the_log() {
    let fixture = Fixture::start().await;
    let (_, added) = fixture.post("/api/v1/repositories", &json!({ "url": "https://git.example/a" })).await;
    let (repository, run) = (id(&added, "/repository/id"), id(&added, "/run/id"));
    assert_eq!(fixture.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await.0, 202);
    let (_, template) = fixture.post("/api/v1/prompts", &json!({ "name": "n", "system": "s", "body": "{code}" })).await;
    let path = format!("/api/v1/prompts/{}/versions", template["id"].as_str().unwrap());
    assert_eq!(fixture.post(&path, &json!({ "system": "", "body": "{code}!" })).await.0, 201);
    let secret = "ghp_neverinthelog";
    let credential = json!({ "name": "c", "host": "git.example", "token": { "user": "u", "token": secret } });
    let (_, stored) = fixture.post("/api/v1/credentials", &credential).await;
    let path = format!("/api/v1/credentials/{}", stored["id"].as_str().unwrap());
    let replace = fixture.request(Method::PUT, &path).json(&json!({ "token": { "user": "u", "token": secret } }));
    assert_eq!(replace.send().await.unwrap().status(), 200);
    assert_eq!(fixture.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    let path = format!("/api/v1/repositories/{repository}");
    assert_eq!(fixture.request(Method::DELETE, &path).send().await.unwrap().status(), 202);
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    assert_eq!(browser.status(Method::DELETE, "/api/v1/session").await, 200);
    let wrong = fixture.http.post(format!("{}/api/v1/session", fixture.base)).header("sec-fetch-site", "same-origin");
    assert_eq!(wrong.json(&json!({ "token": "cc_wrong" })).send().await.unwrap().status(), 401);
    let token = json!({ "name": "t", "scopes": ["read"], "expires_in_days": 1 });
    let (_, token) = fixture.post("/api/v1/tokens", &token).await;
    let path = format!("/api/v1/tokens/{}", token["token"].as_str().unwrap());
    assert_eq!(fixture.request(Method::DELETE, &path).send().await.unwrap().status(), 204);

    let log = entries(&fixture, "").await;
    let actions: BTreeSet<&str> = log.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = [
        "credential.deleted",
        "credential.replaced",
        "credential.stored",
        "repository.added",
        "repository.deleted",
        "run.cancelled",
        "run.started",
        "session.closed",
        "session.opened",
        "sign_in.refused",
        "template.published",
        "token.created",
        "token.revoked",
    ];
    assert_eq!(actions, expected.into_iter().collect());
    let text = serde_json::to_string(&log).unwrap();
    for secret in [secret, token["secret"].as_str().unwrap(), &fixture.token, "cc_wrong"] {
        assert!(!text.contains(secret), "{text}");
    }
    let about = entries(&fixture, &format!("&object={run}")).await;
    let what: Vec<&str> = about.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(what, ["run.cancelled", "run.started"], "newest first");
    assert_eq!((&about[0]["actor_name"], &about[0]["ip"]), (&json!("Administrator"), &json!("127.0.0.1")));
    let refused = entries(&fixture, "&action=sign_in.refused").await;
    assert_eq!((refused.len(), &refused[0]["actor"], &refused[0]["actor_name"]), (1, &Value::Null, &json!("nobody")));
    let (_, me) = fixture.get("/api/v1/me").await;
    let mine = entries(&fixture, &format!("&actor={}", me["user"].as_str().unwrap())).await;
    assert_eq!(mine.len(), log.len() - 1);

    let (mut seen, mut path) = (Vec::new(), "/api/v1/audit?limit=3".to_owned());
    loop {
        let (_, page) = fixture.get(&path).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/audit?limit=3&cursor={next}");
    }
    let all: Vec<u64> = (1..=log.len() as u64).rev().collect();
    assert_eq!(seen, all, "without gaps");
    assert_eq!(check(&fixture).await, AuditCheck { entries: log.len() as u64, broken_at: None });
    fixture.stop().await;
}

#[tokio::test]
async fn what_does_not_happen_is_not_recorded() {
    let fixture = Fixture::start().await;
    let body = json!({ "name": "n", "system": "s", "body": "{code}" });
    assert_eq!(fixture.post("/api/v1/prompts", &body).await.0, 201);
    assert_eq!(fixture.post("/api/v1/prompts", &body).await.0, 409, "the name is taken");
    for path in ["credentials", "repositories", "tokens", "sessions"] {
        let path = format!("/api/v1/{path}/00000000-0000-0000-0000-000000000000");
        assert_eq!(fixture.request(Method::DELETE, &path).send().await.unwrap().status(), 404);
    }
    let (_, added) = fixture.post("/api/v1/repositories", &json!({ "url": "https://git.example/a" })).await;
    let again = fixture.post("/api/v1/repositories", &json!({ "url": "https://git.example/a" })).await;
    assert_eq!(again.0, 200);
    let run = format!("/api/v1/runs/{}/cancel", id(&added, "/run/id"));
    for expected in [202, 200] {
        assert_eq!(fixture.post(&run, &json!({})).await.0, expected);
    }
    let actions: Vec<String> =
        entries(&fixture, "").await.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    let expected = ["run.cancelled", "run.started", "run.started", "repository.added", "template.published"];
    assert_eq!(actions, expected, "one that works and one that waits");
    fixture.stop().await;
}

async fn check(fixture: &Fixture) -> AuditCheck {
    fixture.store.check_audit(fixture.workspace().await).await.unwrap()
}

#[tokio::test]
async fn the_log_grows_only_and_a_change_is_found() {
    let fixture = Fixture::start().await;
    let actor = Actor::system(fixture.workspace().await);
    let entry = |number: usize| Entry {
        action: "test.done",
        object_kind: "test",
        object_id: number.to_string(),
        detail: json!({ "b": number, "a": "ä" }),
    };
    // From many hands at once: one after the other all the same.
    futures::future::join_all((0..40).map(|number| fixture.store.record(&actor, entry(number))))
        .await
        .into_iter()
        .for_each(|outcome| outcome.unwrap());
    assert_eq!(check(&fixture).await, AuditCheck { entries: 40, broken_at: None });
    let pool = fixture.database.pool();
    for statement in
        ["UPDATE audit_entries SET actor_name = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"]
    {
        let error = sqlx::query(statement).execute(pool).await.unwrap_err();
        assert!(error.to_string().contains("grows only"), "{statement}: {error}");
    }
    // The owner can do it after all, and is found out.
    for (change, back, place) in [
        (
            "UPDATE audit_entries SET actor_name = 'somebody else' WHERE sequence = 7",
            "UPDATE audit_entries SET actor_name = 'system' WHERE sequence = 7",
            7,
        ),
        (
            "UPDATE audit_entries SET ip = '' WHERE sequence = 9",
            "UPDATE audit_entries SET ip = NULL WHERE sequence = 9",
            9,
        ),
        (
            "UPDATE audit_entries SET occurred_at = occurred_at - interval '1 microsecond' WHERE sequence = 40",
            "UPDATE audit_entries SET occurred_at = occurred_at + interval '1 microsecond' WHERE sequence = 40",
            40,
        ),
        ("UPDATE audit_entries SET sequence = 41 WHERE sequence = 20", "", 20),
    ] {
        for (statement, expected) in [(change, Some(place)), (back, None)] {
            let all = format!(
                "ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_grow_only; {statement}; \
                 ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_grow_only"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(pool).await.unwrap();
            if !statement.is_empty() {
                assert_eq!(check(&fixture).await.broken_at, expected, "{statement}");
            }
        }
    }
    fixture.stop().await;
}
