//! Diagrams of pages.

use reqwest::Method;
use sha2::{Digest as _, Sha256};

use crate::documents::with_document;
use crate::fixture::{Fixture, answer};

const CHART: &str = "flowchart LR\n  a[\"gateway\"] --> b[\"store\"]";

fn name(source: &str) -> String {
    hex::encode(&Sha256::digest(source)[..16])
}

#[tokio::test]
async fn a_page_keeps_its_text_and_the_server_draws_it() {
    let fixture = Fixture::start().await;
    let document = with_document(&fixture).await;
    let broken = "flowchart LR\n  a --> [";
    let markdown = format!("# A\n\n```mermaid\n{CHART}\n```\n\n```mermaid\n{broken}\n```\n");
    sqlx::query("UPDATE revisions SET markdown = $1 WHERE number = 2")
        .bind(markdown)
        .execute(fixture.database.pool())
        .await
        .unwrap();
    let base = format!("/api/v1/documents/{document}/diagrams");
    let mut pictures = Vec::new();
    for look in ["", "?look=light", "?look=dark", "?look=dark"] {
        let path = format!("{base}/{}.svg{look}", name(CHART));
        let response = fixture.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{look}");
        assert_eq!(response.headers()["content-type"], "image/svg+xml");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
        let svg = response.text().await.unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("gateway"), "{svg}");
        pictures.push(svg);
    }
    assert!(pictures[0] == pictures[1] && pictures[2] == pictures[3] && pictures[0] != pictures[2]);

    let get = |path: String| {
        let fixture = &fixture;
        async move { answer(fixture.request(Method::GET, &path).send().await.unwrap()).await }
    };
    let (status, problem) = get(format!("{base}/{}.svg", name(broken))).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("diagram_refused")), "{problem}");
    assert_eq!(get(format!("{base}/{}.svg?look=pink", name(CHART))).await.0, 400);
    for absent in [name("pie"), name(CHART).to_uppercase(), "..%2f".to_owned(), String::new()] {
        assert_eq!(get(format!("{base}/{absent}.svg")).await.0, 404, "{absent}");
    }
    assert_eq!(get(format!("{base}/{}", name(CHART))).await.0, 404, "without its ending");
    // Who may not read the document does not see its diagrams, whether somebody has looked at them or not.
    fixture.execute("UPDATE pages SET workspace_id = '11111111-1111-1111-1111-111111111111'").await;
    assert_eq!(get(format!("{base}/{}.svg", name(CHART))).await.0, 404);
    fixture.stop().await;
}
