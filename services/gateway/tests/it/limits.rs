//! Limits, and the headers of every answer.

use reqwest::Method;
use serde_json::json;

use crate::fixture::{Fixture, answer};

#[tokio::test]
async fn each_user_has_a_limit_of_each_kind() {
    let fixture = Fixture::start_with(|config| {
        config.rate_read = 3;
        config.rate_write = 1;
    })
    .await;
    for left in [2, 1, 0] {
        let response = fixture.request(Method::GET, "/api/v1/me").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["ratelimit-policy"], "\"read\";q=3;w=60");
        let state = response.headers()["ratelimit"].to_str().unwrap().to_owned();
        assert!(state.starts_with(&format!("\"read\";r={left};t=")), "{state}");
    }
    let response = fixture.request(Method::GET, "/api/v1/repositories").send().await.unwrap();
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert!(response.headers()["ratelimit"].to_str().unwrap().starts_with("\"read\";r=0;t="));
    let (status, problem) = answer(response).await;
    assert_eq!((status, &problem["code"]), (429, &json!("too_many_requests")));
    // Another kind, another user, and what is not counted.
    assert_eq!(fixture.post("/api/v1/prompts", &json!({})).await.0, 400);
    assert_eq!(fixture.post("/api/v1/prompts", &json!({})).await.0, 429);
    let other = fixture.user("viewer").await.1;
    let request = fixture.http.get(format!("{}/api/v1/me", fixture.base)).bearer_auth(other);
    assert_eq!(request.send().await.unwrap().status(), 200);
    for _ in 0..5 {
        let health = fixture.http.get(format!("{}/api/v1/health", fixture.base)).send().await.unwrap();
        assert_eq!(health.status(), 200);
    }
    fixture.stop().await;
}

#[tokio::test]
async fn attempts_to_sign_in_are_counted_by_address() {
    let fixture = Fixture::start_with(|config| {
        config.rate_sign_in = 2;
        config.trusted_proxies = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let attempt = |client: &'static str| {
        let request = fixture.http.post(format!("{}/api/v1/session", fixture.base));
        let request = request.header("sec-fetch-site", "same-origin").header("x-forwarded-for", client);
        async move { request.json(&json!({ "token": "cc_wrong" })).send().await.unwrap().status().as_u16() }
    };
    for expected in [401, 401, 429] {
        assert_eq!(attempt("192.0.2.1").await, expected);
    }
    assert_eq!(attempt("192.0.2.2").await, 401, "another client of the same proxy");
    assert_eq!(attempt("192.0.2.3, 192.0.2.1").await, 429, "what a client says of itself does not count");
    let ips: Vec<String> = sqlx::query_scalar("SELECT DISTINCT ip FROM audit_entries ORDER BY ip")
        .fetch_all(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(ips, ["192.0.2.1", "192.0.2.2"]);
    fixture.stop().await;
}

#[tokio::test]
async fn a_database_that_is_silent_holds_nobody() {
    let fixture = Fixture::start_with(|config| config.request_seconds = 1).await;
    let mut silent = fixture.database.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE repositories IN ACCESS EXCLUSIVE MODE").execute(&mut *silent).await.unwrap();
    let (status, problem) = fixture.get("/api/v1/repositories").await;
    assert_eq!((status, &problem["code"]), (503, &json!("timeout")), "{problem}");
    assert_eq!(fixture.get("/api/v1/me").await.0, 200, "others are served");
    silent.rollback().await.unwrap();
    assert_eq!(fixture.get("/api/v1/repositories").await.0, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn every_answer_has_the_headers() {
    let fixture = Fixture::start().await;
    for (path, token, policy) in [
        ("/api/v1/me", true, "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("/api/v1/me", false, "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("/api/v1/nothing", true, "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("/nothing", false, "default-src 'none'; script-src 'self'; style-src 'self'; "),
    ] {
        let mut request = fixture.http.get(format!("{}{path}", fixture.base));
        if token {
            request = request.bearer_auth(&fixture.token);
        }
        let response = request.send().await.unwrap();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(response.headers()[name], value, "{path}");
        }
        let given = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(given.starts_with(policy), "{path}: {given}");
        assert!(!response.headers().contains_key("strict-transport-security"), "not without TLS");
    }
    let base = fixture.another(|config| config.public_url = Some("https://docs.corp".to_owned())).await;
    let response = fixture.http.get(format!("{base}/api/v1/health")).send().await.unwrap();
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
    let request = fixture.http.post(format!("{base}/api/v1/session")).header("origin", "https://docs.corp");
    let response = request.json(&json!({ "token": fixture.token })).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-cc=") && cookie.contains("; Path=/;") && cookie.contains("; Secure;"),
        "{cookie}"
    );
    fixture.stop().await;
}
