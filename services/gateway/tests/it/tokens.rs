//! API tokens of users.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Fixture, answer};
use crate::sessions::Browser;

async fn make(fixture: &Fixture, with: &str, scopes: &[&str], days: u32) -> (u16, Value) {
    let request = fixture.http.post(format!("{}/api/v1/tokens", fixture.base)).bearer_auth(with);
    let body = json!({ "name": "ci", "scopes": scopes, "expires_in_days": days });
    answer(request.json(&body).send().await.unwrap()).await
}

async fn ask(fixture: &Fixture, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = fixture.http.request(method, format!("{}{path}", fixture.base)).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(body) };
    let response = request.send().await.unwrap();
    if response.status() == 204 {
        return (204, Value::Null);
    }
    answer(response).await
}

#[tokio::test]
async fn made_used_listed_and_revoked() {
    let fixture = Fixture::start().await;
    let (status, made) = make(&fixture, &fixture.token, &["write", "read"], 30).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["scopes"], json!(["read", "write"]));
    let secret = made["secret"].as_str().unwrap();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM tokens WHERE secret_hash = sha256($1::bytea)")
        .bind(secret.as_bytes())
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(stored, 1, "as its hash");

    let (_, list) = fixture.get("/api/v1/tokens").await;
    let row = list["items"].as_array().unwrap().iter().find(|row| row["token"] == made["token"]).unwrap().clone();
    assert_eq!((&row["name"], &row["last_used_at"]), (&json!("ci"), &Value::Null));
    assert!(row["secret"].is_null() && !list.to_string().contains(secret), "shown once");
    assert_eq!(ask(&fixture, secret, Method::GET, "/api/v1/me", &Value::Null).await.0, 200);
    let used = || async {
        let (_, list) = fixture.get("/api/v1/tokens").await;
        list["items"].as_array().unwrap().iter().find(|row| row["token"] == made["token"]).unwrap()["last_used_at"]
            .clone()
    };
    let first = used().await;
    assert!(first.is_string());
    assert_eq!(ask(&fixture, secret, Method::GET, "/api/v1/me", &Value::Null).await.0, 200);
    assert_eq!(used().await, first, "written once a minute at most");

    let path = format!("/api/v1/tokens/{}", made["token"].as_str().unwrap());
    assert_eq!(ask(&fixture, &fixture.token, Method::DELETE, &path, &Value::Null).await.0, 204);
    assert_eq!(ask(&fixture, secret, Method::GET, "/api/v1/me", &Value::Null).await.0, 401);
    assert_eq!(ask(&fixture, &fixture.token, Method::DELETE, &path, &Value::Null).await.0, 404);
    fixture.stop().await;
}

#[tokio::test]
async fn a_token_allows_what_its_scope_and_the_role_allow_both() {
    let fixture = Fixture::start().await;
    let add = json!({ "url": "ftp://git.example/a" });
    let requests = [
        (Method::GET, "/api/v1/repositories", &Value::Null),
        (Method::POST, "/api/v1/repositories", &add),
        (Method::PATCH, "/api/v1/users/00000000-0000-0000-0000-000000000000", &json!({})),
    ];
    let admin = fixture.token.clone();
    let author = fixture.user("author").await.1;
    for (owner, scope, expected) in [
        (&admin, "read", [200, 403, 403]),
        (&admin, "write", [200, 422, 403]),
        (&admin, "admin", [200, 422, 404]),
        (&author, "read", [200, 403, 403]),
        (&author, "admin", [200, 422, 403]),
    ] {
        let (status, made) = make(&fixture, owner, &[scope], 1).await;
        assert_eq!(status, 201, "{made}");
        let token = made["secret"].as_str().unwrap();
        for ((method, path, body), expected) in requests.iter().zip(expected) {
            let (status, answer) = ask(&fixture, token, method.clone(), path, body).await;
            assert_eq!(status, expected, "{scope}: {method} {path}: {answer}");
        }
        let (_, me) = ask(&fixture, token, Method::GET, "/api/v1/me", &Value::Null).await;
        let scopes = me["scopes"].as_array().unwrap();
        assert_eq!(scopes.last().unwrap(), scope, "each holds those before it: {me}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_token_gives_birth_to_nothing_stronger_or_older() {
    let fixture = Fixture::start().await;
    for (scopes, days, code) in [
        (&[][..], 1, "scopes_missing"),
        (&["read"], 0, "expiry_out_of_range"),
        (&["read"], 366, "expiry_out_of_range"),
        (&["everything"], 1, "malformed_request"),
    ] {
        assert_eq!(make(&fixture, &fixture.token, scopes, days).await.1["code"], code, "{scopes:?} {days}");
    }
    let (_, short) = make(&fixture, &fixture.token, &["write"], 2).await;
    let short_secret = short["secret"].as_str().unwrap();
    assert_eq!(make(&fixture, short_secret, &["admin"], 1).await.1["code"], "scope_too_high");
    let (_, child) = make(&fixture, short_secret, &["write"], 365).await;
    assert_eq!(child["expires_at"], short["expires_at"], "it ends with its mother");
    let session = Browser::sign_in(&fixture, short_secret).await;
    let body = json!({ "name": "ci", "scopes": ["read"], "expires_in_days": 365 });
    let made = session.request_to(&fixture.base, Method::POST, "/api/v1/tokens").json(&body).send().await.unwrap();
    let (_, made) = answer(made).await;
    assert_eq!(made["expires_at"], short["expires_at"], "not with the session, which ends in hours");
    let (_, reader) = make(&fixture, &fixture.token, &["read"], 1).await;
    assert_eq!(make(&fixture, reader["secret"].as_str().unwrap(), &["read"], 1).await.0, 403);
    let others = fixture.user("viewer").await.1;
    let path = format!("/api/v1/tokens/{}", short["token"].as_str().unwrap());
    assert_eq!(ask(&fixture, &others, Method::DELETE, &path, &Value::Null).await.0, 404, "somebody else's");
    fixture.stop().await;
}
