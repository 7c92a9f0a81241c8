//! Every route, and what each role is answered there. A route without a row fails, and so does a row without a route.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, answer};

const ROLES: [&str; 5] = ["viewer", "auditor", "author", "maintainer", "admin"];

const NOBODY_NEEDED: &str = "public";
const EVERYBODY: &str = "viewer auditor author maintainer admin";
const AUTHORS: &str = "author maintainer admin";
const MAINTAINERS: &str = "maintainer admin";
const AUDITORS: &str = "auditor admin";
const ADMINS: &str = "admin";

/// Something in a path that belongs to another workspace, or to another person.
const FOREIGN: &[&str] = &[
    "{repository}",
    "{run}",
    "{document}",
    "{template}",
    "{credential}",
    "{user}",
    "{token}",
    "{session}",
    "{webhook}",
];

/// A route, who may use it, with which body, and what those are answered who may. The things in its path belong to
/// somebody else, so that is 404 wherever there are any.
fn rows() -> Vec<(&'static str, &'static str, &'static str, Value, u16)> {
    let none = Value::Null;
    vec![
        ("GET", "/api/v1/health", NOBODY_NEEDED, none.clone(), 200),
        ("GET", "/api/v1/sign-in", NOBODY_NEEDED, none.clone(), 200),
        ("POST", "/api/v1/session", NOBODY_NEEDED, json!({ "token": "cc_wrong" }), 401),
        ("GET", "/login", NOBODY_NEEDED, none.clone(), 302),
        ("GET", "/login/callback", NOBODY_NEEDED, none.clone(), 302),
        ("GET", "/api/v1/openapi.json", EVERYBODY, none.clone(), 200),
        ("DELETE", "/api/v1/session", EVERYBODY, none.clone(), 409),
        ("GET", "/api/v1/me", EVERYBODY, none.clone(), 200),
        ("GET", "/api/v1/sessions", EVERYBODY, none.clone(), 200),
        ("DELETE", "/api/v1/sessions/{session}", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/tokens", EVERYBODY, none.clone(), 200),
        ("POST", "/api/v1/tokens", EVERYBODY, json!({ "name": "t", "scopes": ["read"], "expires_in_days": 0 }), 422),
        ("DELETE", "/api/v1/tokens/{token}", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/users", AUDITORS, none.clone(), 200),
        ("GET", "/api/v1/users/{user}", AUDITORS, none.clone(), 404),
        ("PATCH", "/api/v1/users/{user}", ADMINS, json!({ "active": false }), 404),
        ("GET", "/api/v1/audit", AUDITORS, none.clone(), 200),
        ("GET", "/api/v1/repositories", EVERYBODY, none.clone(), 200),
        ("POST", "/api/v1/repositories", AUTHORS, json!({ "url": "ftp://git.example/a" }), 422),
        ("POST", "/api/v1/repositories/test-connection", AUTHORS, json!({ "url": "ftp://git.example/a" }), 422),
        ("GET", "/api/v1/repositories/{repository}", EVERYBODY, none.clone(), 404),
        ("DELETE", "/api/v1/repositories/{repository}", MAINTAINERS, none.clone(), 404),
        ("GET", "/api/v1/repositories/{repository}/overview", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/repositories/{repository}/tree", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/repositories/{repository}/blob", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/repositories/{repository}/webhooks", MAINTAINERS, none.clone(), 404),
        ("POST", "/api/v1/repositories/{repository}/webhooks", MAINTAINERS, json!({ "provider": "github" }), 404),
        ("POST", "/api/v1/repositories/{repository}/webhooks/{webhook}/secret", MAINTAINERS, none.clone(), 404),
        ("DELETE", "/api/v1/repositories/{repository}/webhooks/{webhook}", MAINTAINERS, none.clone(), 404),
        ("POST", "/hooks/{webhook}", NOBODY_NEEDED, json!({}), 401),
        ("GET", "/api/v1/credentials", MAINTAINERS, none.clone(), 200),
        ("POST", "/api/v1/credentials", MAINTAINERS, json!({ "name": "", "host": "git.example" }), 422),
        ("PUT", "/api/v1/credentials/{credential}", MAINTAINERS, json!({ "authority": "-" }), 404),
        ("DELETE", "/api/v1/credentials/{credential}", MAINTAINERS, none.clone(), 404),
        ("GET", "/api/v1/repositories/{repository}/runs", EVERYBODY, none.clone(), 404),
        ("POST", "/api/v1/repositories/{repository}/runs", AUTHORS, json!({}), 404),
        ("GET", "/api/v1/runs", EVERYBODY, none.clone(), 200),
        ("GET", "/api/v1/runs/{run}", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/runs/{run}/tasks", EVERYBODY, none.clone(), 404),
        ("POST", "/api/v1/runs/{run}/retry", AUTHORS, none.clone(), 404),
        ("POST", "/api/v1/runs/{run}/cancel", AUTHORS, none.clone(), 404),
        ("GET", "/api/v1/runs/{run}/events", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/repositories/{repository}/documents", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/documents/{document}", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/documents/{document}/pages/{slug}", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/documents/{document}/pages/sources/*", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/documents/{document}/diagrams/{file}", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/prompts", EVERYBODY, none.clone(), 200),
        ("POST", "/api/v1/prompts", AUTHORS, json!({ "name": "", "system": "", "body": "{code}" }), 422),
        ("GET", "/api/v1/prompts/{template}", EVERYBODY, none.clone(), 404),
        ("POST", "/api/v1/prompts/{template}/versions", AUTHORS, json!({ "system": "", "body": "{code}" }), 404),
        ("GET", "/api/v1/prompts/{template}/versions", EVERYBODY, none.clone(), 404),
        ("GET", "/api/v1/prompts/{template}/versions/{number}", EVERYBODY, none.clone(), 404),
        (
            "POST",
            "/api/v1/prompts/preview",
            AUTHORS,
            json!({ "system": "", "body": "{code}", "query": "", "repository": "33333333-3333-3333-3333-333333333333" }),
            404,
        ),
        ("GET", "/api/v1/admin/queues", AUDITORS, none.clone(), 200),
        ("GET", "/api/v1/admin/dead-letters", AUDITORS, none.clone(), 200),
        ("GET", "/api/v1/admin/dead-letters/{letter}", AUDITORS, none.clone(), 404),
        ("POST", "/api/v1/admin/dead-letters/{letter}/redeliver", ADMINS, none.clone(), 404),
        ("DELETE", "/api/v1/admin/dead-letters/{letter}", ADMINS, none.clone(), 404),
        ("GET", "/api/v1/search", EVERYBODY, none.clone(), 404),
        ("GET", "/api/repos", EVERYBODY, none.clone(), 200),
        ("POST", "/api/repos", AUTHORS, json!({ "url": "ftp://git.example/a" }), 422),
        ("GET", "/api/repos/{repository}", EVERYBODY, none, 404),
    ]
}

/// Identifiers of things of another workspace, in the order of [`FOREIGN`].
async fn foreign(fixture: &Fixture) -> Vec<String> {
    let (scope, documents) = fixture.add("https://git.example/theirs").await;
    let (status, template) =
        fixture.post("/api/v1/prompts", &json!({ "name": "theirs", "system": "", "body": "{code}" })).await;
    assert_eq!(status, 201, "{template}");
    let (user, token) = fixture.user("viewer").await;
    let session = fixture
        .http
        .post(format!("{}/api/v1/session", fixture.base))
        .header("sec-fetch-site", "same-origin")
        .json(&json!({ "token": token }))
        .send()
        .await
        .unwrap();
    assert_eq!(session.status(), 204);
    fixture
        .execute(
            "INSERT INTO credentials (credential_id, workspace_id, name, kind, host, sealed)
             SELECT '22222222-2222-2222-2222-222222222222', workspace_id, 'theirs', 'token', 'git.example:443', repeat('x', 200)::bytea
             FROM workspaces;
             INSERT INTO webhooks (webhook_id, workspace_id, repository_id, provider)
             SELECT '44444444-4444-4444-4444-444444444444', workspace_id, repository_id, 'github' FROM repositories;
             INSERT INTO workspaces (workspace_id, name) VALUES ('11111111-1111-1111-1111-111111111111', 'other');
             UPDATE webhooks SET workspace_id = '11111111-1111-1111-1111-111111111111';
             UPDATE repositories SET workspace_id = '11111111-1111-1111-1111-111111111111';
             UPDATE runs SET workspace_id = '11111111-1111-1111-1111-111111111111';
             UPDATE run_documents SET workspace_id = '11111111-1111-1111-1111-111111111111';
             UPDATE credentials SET workspace_id = '11111111-1111-1111-1111-111111111111';
             UPDATE prompt_templates SET workspace_id = '11111111-1111-1111-1111-111111111111' WHERE name = 'theirs';
             ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_grow_only;
             UPDATE audit_entries SET workspace_id = '11111111-1111-1111-1111-111111111111';
             ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_grow_only;",
        )
        .await;
    sqlx::query("UPDATE users SET workspace_id = '11111111-1111-1111-1111-111111111111' WHERE user_id = $1")
        .bind(user)
        .execute(fixture.database.pool())
        .await
        .unwrap();
    let one = |statement: &'static str| async move {
        let id: Uuid = sqlx::query_scalar(statement).bind(user).fetch_one(fixture.database.pool()).await.unwrap();
        id.to_string()
    };
    vec![
        scope.repository.to_string(),
        scope.run.to_string(),
        documents[0].to_string(),
        template["id"].as_str().unwrap().to_owned(),
        "22222222-2222-2222-2222-222222222222".to_owned(),
        user.to_string(),
        one("SELECT token_id FROM tokens WHERE user_id = $1").await,
        one("SELECT session_id FROM sessions WHERE user_id = $1").await,
        "44444444-4444-4444-4444-444444444444".to_owned(),
    ]
}

async fn ask(
    fixture: &Fixture,
    method: &str,
    path: &str,
    foreign: &[String],
    body: &Value,
    token: Option<&str>,
) -> (u16, Value) {
    let mut path = path
        .replace("{slug}", "index")
        .replace('*', "a.rs")
        .replace("{number}", "1")
        .replace("{letter}", "7")
        .replace("{file}", "0123456789abcdef0123456789abcdef.svg");
    for (name, id) in FOREIGN.iter().zip(foreign) {
        path = path.replace(name, id);
    }
    assert!(!path.contains('{'), "{path}: add what is missing to `foreign`");
    if path.ends_with("/blob") {
        path = format!("{path}?path=a.rs");
    }
    if path == "/api/v1/search" {
        path = format!("{path}?q=a&repository={}", foreign[0]);
    }
    let method: Method = method.parse().unwrap();
    let mut request = fixture.http.request(method, format!("{}{path}", fixture.base));
    // As a page of ours would.
    request = request.header("sec-fetch-site", "same-origin");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if !body.is_null() {
        request = request.json(body);
    }
    let response = request.send().await.unwrap();
    if response.status() == 302 {
        return (302, Value::Null);
    }
    answer(response).await
}

#[test]
fn every_route_has_a_row_and_every_operation_a_route() {
    let routes: BTreeSet<_> = caffeine_gateway::routes().into_iter().collect();
    let known: BTreeSet<_> = rows().into_iter().map(|(method, path, ..)| (method, path)).collect();
    assert_eq!(known.len(), rows().len(), "no row is there twice");
    assert_eq!(known, routes, "say in `rows` what each role is answered");
    let document: Value = serde_json::from_str(&caffeine_gateway::openapi_json()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            assert!(routes.contains(&(method.as_str(), path.as_str())), "{method} {path} has no line in api/access.rs");
        }
    }
}

#[tokio::test]
async fn every_role_is_answered_as_the_rows_say() {
    let fixture = Fixture::start().await;
    let foreign = foreign(&fixture).await;
    let mut tokens = Vec::new();
    for role in ROLES {
        tokens.push((role, fixture.user(role).await.1));
    }
    let (mut allowed, mut refused) = (0, 0);
    for (method, path, who, body, expected) in rows() {
        let stranger = ask(&fixture, method, path, &foreign, &body, None).await;
        if who == NOBODY_NEEDED {
            assert_eq!(stranger.0, expected, "{method} {path} for a stranger: {}", stranger.1);
            continue;
        }
        assert_eq!((stranger.0, &stranger.1["code"]), (401, &json!("unauthorised")), "{method} {path} for a stranger");
        for (role, token) in &tokens {
            let (status, answer) = ask(&fixture, method, path, &foreign, &body, Some(token)).await;
            if who.split(' ').any(|allowed| allowed == *role) {
                assert_eq!(status, expected, "{method} {path} for {role}: {answer}");
                allowed += 1;
                let text = answer.to_string();
                for (name, id) in FOREIGN.iter().zip(&foreign) {
                    assert!(status != 200 || !text.contains(id), "{method} {path} shows {role} the {name} of others");
                }
            } else {
                assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{method} {path} for {role}");
                refused += 1;
            }
        }
    }
    assert!(allowed > 100 && refused > 40, "{allowed} {refused}");
    println!("{allowed} allowed, {refused} refused");
    fixture.stop().await;
}

/// Writes that do something, of each of the groups of roles that may write.
#[tokio::test]
async fn who_may_write_does_and_nobody_else() {
    let fixture = Fixture::start().await;
    for (index, role) in ROLES.into_iter().enumerate() {
        let token = fixture.user(role).await.1;
        let (subject, _) = fixture.user("viewer").await;
        let user = format!("/api/v1/users/{subject}");
        let secret = json!({ "user": "ada", "token": "s3cret" });
        let writes = [
            (
                EVERYBODY,
                "POST",
                "/api/v1/tokens",
                json!({ "name": role, "scopes": ["read"], "expires_in_days": 1 }),
                201,
            ),
            (AUTHORS, "POST", "/api/v1/prompts", json!({ "name": role, "system": "", "body": "{code}" }), 201),
            (
                MAINTAINERS,
                "POST",
                "/api/v1/credentials",
                json!({ "name": role, "host": "git.example", "token": secret }),
                201,
            ),
            (ADMINS, "PATCH", &user, json!({ "active": false }), 200),
        ];
        let before = fixture.request(Method::GET, &user).send().await.unwrap();
        let tag = before.headers()["etag"].clone();
        for (who, method, path, body, expected) in writes {
            let method: Method = method.parse().unwrap();
            let request = fixture.http.request(method.clone(), format!("{}{path}", fixture.base));
            let request = request.bearer_auth(&token).header("if-match", tag.clone()).json(&body);
            let (status, said) = answer(request.send().await.unwrap()).await;
            let may = who.split(' ').any(|allowed| allowed == role);
            assert_eq!(status, if may { expected } else { 403 }, "{method} {path} for {role}: {said}");
        }
        assert_eq!(fixture.get(&user).await.1["active"], json!(role != "admin"), "{role}");
        // What was refused left nothing behind, and what was allowed is listed.
        for (list, who) in [("prompts", AUTHORS), ("credentials", MAINTAINERS)] {
            let (_, listed) = fixture.get(&format!("/api/v1/{list}")).await;
            let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
            let expected = ROLES[..=index].iter().filter(|role| who.split(' ').any(|allowed| allowed == **role));
            for role in ROLES {
                let there = expected.clone().any(|wanted| *wanted == role);
                assert_eq!(names.contains(&&json!(role)), there, "{role} in {list}: {listed}");
            }
        }
    }
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_hidden_from_strangers() {
    let fixture = Fixture::start().await;
    for (method, path) in [(Method::GET, "/api/v1/nothing"), (Method::POST, "/api/v1/health"), (Method::GET, "/api")] {
        let response = fixture.http.request(method.clone(), format!("{}{path}", fixture.base)).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{method} {path}");
        assert_eq!(answer(response).await.0, 401, "{method} {path}");
    }
    fixture.stop().await;
}
