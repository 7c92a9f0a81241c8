//! Every error is a problem document.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, answer};

#[tokio::test]
async fn errors_of_the_framework_too() {
    let fixture = Fixture::start().await;
    let repositories = "/api/v1/repositories";
    let request = |method: Method, path: &str| fixture.request(method, path);
    for (request, status, code) in [
        (request(Method::GET, "/nothing"), 404, "not_found"),
        (request(Method::GET, "/api/v1/"), 404, "not_found"),
        (request(Method::DELETE, repositories), 405, "method_not_allowed"),
        (request(Method::PUT, "/api/v1/openapi.json"), 405, "method_not_allowed"),
        (request(Method::GET, "/api/v1/repositories/no-uuid"), 400, "malformed_request"),
        (request(Method::GET, "/api/v1/repositories?limit=many"), 400, "malformed_request"),
        (request(Method::GET, "/api/v1/repositories?limit=0"), 400, "bad_limit"),
        (request(Method::GET, "/api/v1/repositories?limit=201"), 400, "bad_limit"),
        (request(Method::GET, "/api/v1/repositories?cursor=zz"), 400, "bad_cursor"),
        (request(Method::GET, "/api/v1/search"), 400, "malformed_request"),
        (
            request(Method::POST, repositories).header("content-type", "application/json").body("{"),
            400,
            "malformed_request",
        ),
        (request(Method::POST, repositories).json(&json!({ "url": [7] })), 400, "malformed_request"),
        (request(Method::POST, repositories).json(&json!({})), 400, "malformed_request"),
        (request(Method::POST, repositories).header("content-type", "text/plain").body("url"), 415, "media_type"),
        (request(Method::POST, repositories).json(&json!({ "url": "x".repeat(1024 * 1024) })), 413, "body_too_large"),
    ] {
        let asked = format!("{request:?}");
        let response = request.send().await.unwrap();
        for (header, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
            assert_eq!(response.headers()[header], value, "{asked}");
        }
        assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        let (given, problem) = answer(response).await;
        assert_eq!((given, problem["code"].as_str()), (status, Some(code)), "{asked}: {problem}");
    }
    let response = request(Method::DELETE, repositories).send().await.unwrap();
    assert_eq!(response.headers()["allow"], "GET, POST");
    fixture.stop().await;
}

#[tokio::test]
async fn a_wrong_field_is_named_and_an_unknown_one_is_refused() {
    let fixture = Fixture::start().await;
    let documents = json!([{ "writer": "structural" }, { "writer": "s3cret" }]);
    for (body, pointer) in [
        (json!({ "url": 7 }), "/url"),
        (json!({ "url": "https://git.example/a", "ref_": "main" }), "/ref_"),
        (json!({ "url": "https://git.example/a", "documents": documents }), "/documents/1/writer"),
        (json!({ "url": "https://git.example/a", "credential": "s3cret" }), "/credential"),
    ] {
        let (status, problem) = fixture.post("/api/v1/repositories", &body).await;
        assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (400, Some(pointer)), "{problem}");
        assert!(!problem.to_string().contains("s3cret"), "{problem}");
    }
    // The older system took fields that it did not know.
    let body = json!({ "url": "https://git.example/a", "branch_": "main" });
    assert_eq!(fixture.post("/api/repos", &body).await.0, 202);
    fixture.stop().await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded() {
    let fixture = Fixture::start().await;
    let chunks = futures::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let request = fixture
        .request(Method::POST, "/api/v1/repositories")
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(chunks));
    // The gateway may answer before the client has sent everything; then the client sees a broken connection.
    if let Ok(response) = request.send().await {
        assert_eq!(answer(response).await.0, 413);
    }
    assert_eq!(fixture.get("/api/v1/repositories").await.0, 200, "others are served");
    fixture.stop().await;
}

#[tokio::test]
async fn a_foreign_or_unknown_identifier_is_not_found() {
    let fixture = Fixture::start().await;
    let (scope, documents) = fixture.add("https://git.example/mine").await;
    let paths = |repository: Uuid, run: Uuid, document: Uuid| {
        [
            format!("/api/v1/repositories/{repository}"),
            format!("/api/repos/{repository}"),
            format!("/api/v1/repositories/{repository}/runs"),
            format!("/api/v1/repositories/{repository}/documents"),
            format!("/api/v1/repositories/{repository}/overview"),
            format!("/api/v1/repositories/{repository}/tree"),
            format!("/api/v1/repositories/{repository}/blob?path=a.rs"),
            format!("/api/v1/runs/{run}/tasks"),
            format!("/api/v1/prompts/{document}/versions"),
            format!("/api/v1/prompts/{document}/versions/1"),
            format!("/api/v1/search?q=a&repository={repository}"),
            format!("/api/v1/runs/{run}"),
            format!("/api/v1/runs/{run}/events"),
            format!("/api/v1/documents/{document}"),
            format!("/api/v1/documents/{document}/pages/index"),
            format!("/api/v1/documents/{document}/pages/index.md"),
            format!("/api/v1/documents/{document}/pages/sources/a.rs"),
            format!("/api/v1/prompts/{document}"),
        ]
    };
    let unknown = paths(Uuid::nil(), Uuid::nil(), Uuid::nil());
    for path in unknown {
        assert_eq!(fixture.get(&path).await.0, 404, "{path}");
    }
    // The same rows, seen from another workspace.
    fixture
        .execute(
            "INSERT INTO workspaces (workspace_id, name) VALUES ('11111111-1111-1111-1111-111111111111', 'other');
             UPDATE users SET workspace_id = '11111111-1111-1111-1111-111111111111'",
        )
        .await;
    for path in paths(scope.repository.as_uuid(), scope.run.as_uuid(), documents[0]) {
        assert_eq!(fixture.get(&path).await.0, 404, "{path}");
    }
    let path = format!("/api/v1/repositories/{}/runs", scope.repository);
    assert_eq!(fixture.post(&path, &json!({})).await.0, 404);
    assert_eq!(fixture.post(&format!("/api/v1/runs/{}/retry", scope.run), &json!({})).await.0, 404);
    let preview = json!({ "system": "", "body": "{code}", "repository": scope.repository.to_string(), "query": "" });
    assert_eq!(fixture.post("/api/v1/prompts/preview", &preview).await.0, 404);
    assert_eq!(fixture.get("/api/v1/repositories").await.1["items"], json!([]));
    assert_eq!(fixture.get("/api/v1/runs").await.1["items"], json!([]));
    fixture.stop().await;
}
