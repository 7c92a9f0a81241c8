//! Answers that a client has already.

use reqwest::Method;

use crate::documents::with_document;
use crate::fixture::Fixture;

/// The status and the tag of an answer.
async fn ask(fixture: &Fixture, path: &str, tag: Option<&str>) -> (u16, String) {
    let mut request = fixture.request(Method::GET, path);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    let response = request.send().await.unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let kept = response.headers()["cache-control"].to_str().unwrap().to_owned();
    assert!(kept.starts_with("private, "), "{path}: {kept}");
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    assert_eq!(body.is_empty(), status == 304, "{path}");
    (status, tag)
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let fixture = Fixture::start().await;
    let document = with_document(&fixture).await;
    fixture.execute("UPDATE runs SET state = 'completed', ended_at = now()").await;
    let (_, read) = fixture.get(&format!("/api/v1/documents/{document}")).await;
    let repository = read["repository_id"].as_str().unwrap();
    let paths = [
        format!("/api/v1/documents/{document}"),
        format!("/api/v1/documents/{document}/pages/index"),
        format!("/api/v1/documents/{document}/pages/index.md"),
        format!("/api/v1/repositories/{repository}/blob?path=src/a%20b.rs"),
    ];
    let mut tags = Vec::new();
    for path in &paths {
        let (status, tag) = ask(&fixture, path, None).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(ask(&fixture, path, Some(&tag)).await, (304, tag.clone()), "{path}");
        assert_eq!(ask(&fixture, path, Some(&format!("\"other\", W/{tag}"))).await.0, 304, "{path}");
        assert_eq!(ask(&fixture, path, Some("\"other\"")).await.0, 200, "{path}");
        tags.push(tag);
    }
    // Another revision, another title, another text: other tags.
    fixture
        .execute(
            "UPDATE pages SET published_revision = 3, title = 'Other' WHERE slug = 'index';
             UPDATE file_versions SET lines = 4",
        )
        .await;
    for (path, tag) in paths.iter().zip(&tags) {
        assert_eq!(ask(&fixture, path, Some(tag)).await.0, 200, "{path}");
    }
    fixture.stop().await;
}
