//! Nothing is open without a credential.

use reqwest::Method;
use serde_json::Value;

use crate::fixture::{Fixture, answer};

/// Every operation of the document, and the routes beside it.
fn operations() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&caffeine_gateway::openapi_json()).unwrap();
    let mut operations = vec![
        (Method::GET, "/api/v1/openapi.json".to_owned()),
        (Method::GET, "/api/v1/documents/{document}/pages/sources/a.rs".to_owned()),
        (Method::GET, "/".to_owned()),
        (Method::GET, "/api/v1/nothing".to_owned()),
        (Method::POST, "/api/v1/health".to_owned()),
    ];
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_wants_a_token() {
    let fixture = Fixture::start().await;
    let operations = operations();
    assert!(operations.len() > 20, "the document was walked: {operations:?}");
    for (method, path) in operations {
        let path = path
            .split('/')
            .map(|part| if part.starts_with('{') { "00000000-0000-0000-0000-000000000000" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let response = fixture.http.request(method.clone(), format!("{}{path}", fixture.base)).send().await.unwrap();
        if method == Method::GET && path == "/api/v1/health" {
            assert_eq!(response.text().await.unwrap(), r#"{"status":"ok"}"#);
            continue;
        }
        assert_eq!(response.status(), 401, "{method} {path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{method} {path}");
        let (_, problem) = answer(response).await;
        assert_eq!(problem["code"], "unauthorised", "{method} {path}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn only_valid_tokens_open() {
    let fixture = Fixture::start().await;
    let url = format!("{}/api/v1/repositories", fixture.base);
    let status = |header: String| {
        let request = fixture.http.get(&url).header("authorization", header);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let token = fixture.token.clone();
    assert_eq!(status(format!("Bearer {token}")).await, 200);
    assert_eq!(status(format!("bearer {token}")).await, 200, "the scheme's case does not matter");
    for header in [
        token.clone(),
        format!("Basic {token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {}", &token[..45]),
        format!("Bearer {token}x"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer cc_{}", "a".repeat(43)),
        format!("Bearer {}", "a".repeat(4_000)),
    ] {
        assert_eq!(status(header.clone()).await, 401, "{header}");
    }
    fixture.execute("UPDATE tokens SET expires_at = now() - interval '1 second'").await;
    assert_eq!(status(format!("Bearer {token}")).await, 401, "an expired token");
    fixture.execute("UPDATE tokens SET expires_at = now() + interval '1 hour'; UPDATE users SET active = false").await;
    assert_eq!(status(format!("Bearer {token}")).await, 401, "an inactive user");
    fixture.stop().await;
}

#[tokio::test]
async fn readers_read_and_do_not_write() {
    let fixture = Fixture::start().await;
    fixture.execute("UPDATE users SET role = 'viewer'").await;
    let (status, _) = fixture.get("/api/v1/repositories").await;
    assert_eq!(status, 200);
    let body = serde_json::json!({ "url": "https://git.example/a" });
    for path in ["/api/v1/repositories", "/api/repos"] {
        let (status, problem) = fixture.post(path, &body).await;
        assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{path}");
    }
    let (status, _) =
        fixture.post("/api/v1/prompts", &serde_json::json!({"name": "n", "system": "", "body": "{code}"})).await;
    assert_eq!(status, 403);
    fixture.stop().await;
}
