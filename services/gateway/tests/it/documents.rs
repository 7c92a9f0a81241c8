//! Documents, their pages and cited sources.

use caffeine_model::{FileVersionId, Oid, RepoPath};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::Fixture;

pub(crate) const SOURCE: &str = "fn größe() -> u32 {\n    7\n}\n";

/// A document with two pages and a snapshot with three files, as the other services write them.
pub(crate) async fn with_document(fixture: &Fixture) -> Uuid {
    let (scope, documents) = fixture.add("https://git.example/a").await;
    let document = documents[0];
    let pool = fixture.database.pool();
    fixture
        .execute(
            "INSERT INTO snapshots (run_id, workspace_id, repository_id, ref, commit_oid, tree_oid, committed_at,
                 truncated)
             SELECT run_id, workspace_id, repository_id, 'main', decode(repeat('07', 20), 'hex'),
                 decode(repeat('07', 20), 'hex'), now(), false FROM runs;
             INSERT INTO documents (document_id, workspace_id, repository_id, run_id, title, writer, state, notice)
             SELECT d.document_id, d.workspace_id, r.repository_id, d.run_id, d.title, 'structural', 'completed', 'n'
             FROM run_documents d JOIN runs r USING (run_id);
             INSERT INTO pages (document_id, slug, workspace_id, position, parent, title, kind, state,
                 failure_reason, published_revision)
             SELECT document_id, slug, workspace_id, position, parent, slug, 'module', p.state, reason, revision
             FROM documents, (VALUES ('index', 0, NULL, 'published', NULL, 2), ('module-a', 1, 'index', 'failed',
                 'No words.', NULL::int)) AS p (slug, position, parent, state, reason, revision);
             INSERT INTO revisions (document_id, slug, number, workspace_id, markdown)
             SELECT document_id, 'index', n, workspace_id, '# Revision ' || n FROM documents, generate_series(1, 3) n",
        )
        .await;
    let packed = zstd::encode_all(SOURCE.as_bytes(), 1).unwrap();
    for (path, text, skip) in [("src/a b.rs", Some(packed), None), ("logo.png", None, Some("binary"))] {
        let repo_path = RepoPath::parse(path.as_bytes()).unwrap();
        let version = FileVersionId::derive(scope.repository, &repo_path, Oid::from_bytes(&[1; 20]).unwrap());
        sqlx::query(
            "INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size)
             VALUES ($1, $2, $3, $4, $5, decode(repeat('01', 20), 'hex'), 33188, 1)",
        )
        .bind(scope.run.as_uuid())
        .bind(scope.workspace.as_uuid())
        .bind(scope.repository.as_uuid())
        .bind(path)
        .bind(version.as_uuid())
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO file_versions (file_version_id, analyser, workspace_id, repository_id, path, oid, language,
                 category, encoding, lines, source_lines, parse_quality, skip_reason, text_zstd)
             VALUES ($1, $2, $3, $4, $5, decode(repeat('01', 20), 'hex'), 'rust', 'source', 'utf-8', 3, 3, 'full', $6, $7)",
        )
        .bind(version.as_uuid())
        .bind(&scope.analyser)
        .bind(scope.workspace.as_uuid())
        .bind(scope.repository.as_uuid())
        .bind(path)
        .bind(skip)
        .bind(text)
        .execute(pool)
        .await
        .unwrap();
    }
    document
}

#[tokio::test]
async fn pages_and_sources_are_where_their_links_lead() {
    let fixture = Fixture::start().await;
    let document = with_document(&fixture).await;
    let (status, read) = fixture.get(&format!("/api/v1/documents/{document}")).await;
    assert_eq!((status, &read["notice"]), (200, &json!("n")));
    let pages = read["pages"].as_array().unwrap();
    assert_eq!(pages.iter().map(|page| &page["slug"]).collect::<Vec<_>>(), ["index", "module-a"]);
    assert_eq!((&pages[1]["parent"], &pages[1]["failure_reason"]), (&json!("index"), &json!("No words.")));
    let (_, listed) =
        fixture.get(&format!("/api/v1/repositories/{}/documents", read["repository_id"].as_str().unwrap())).await;
    assert_eq!(listed["items"][0]["id"], read["id"]);
    assert!(listed["items"][0].get("pages").is_none());

    let base = format!("/api/v1/documents/{document}/pages");
    let (status, page) = fixture.get(&format!("{base}/index")).await;
    assert_eq!((status, &page["markdown"], &page["revision"]), (200, &json!("# Revision 2"), &json!(2)));
    let text = fixture.request(Method::GET, &format!("{base}/index.md")).send().await.unwrap();
    assert_eq!(text.headers()["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(text.headers()["x-content-type-options"], "nosniff");
    assert_eq!(text.text().await.unwrap(), "# Revision 2");
    assert_eq!(fixture.get(&format!("{base}/module-a")).await.1["state"], "failed");
    assert_eq!(fixture.get(&format!("{base}/module-a.md")).await.0, 409);

    let source = fixture.request(Method::GET, &format!("{base}/sources/src/a%20b.rs")).send().await.unwrap();
    assert_eq!(source.status(), 200);
    assert_eq!(source.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(source.headers()["x-content-type-options"], "nosniff");
    assert!(source.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert_eq!(source.text().await.unwrap(), SOURCE);
    let (status, problem) = fixture.get(&format!("{base}/sources/logo.png")).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("binary"), "{problem}");
    fixture.stop().await;
}

#[tokio::test]
async fn hostile_names_are_not_found() {
    let fixture = Fixture::start().await;
    let document = with_document(&fixture).await;
    let base = format!("/api/v1/documents/{document}/pages");
    for path in [
        "sources/absent.rs",
        "sources/%2e%2e/%2e%2e/etc/passwd",
        "sources/..%2f..%2fetc%2fpasswd",
        "sources//etc/passwd",
        "sources/src%00",
        "sources/src/a%20b.rs/",
        "sources/%ff%fe",
        "Index",
        "index.md.md",
        ".md",
        "%00",
        "..%2findex",
    ] {
        let (status, _) = fixture.get(&format!("{base}/{path}")).await;
        assert!(status == 404 || status == 400, "{path}: {status}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_text_that_unpacks_without_end_is_stopped() {
    let fixture = Fixture::start().await;
    let document = with_document(&fixture).await;
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 64 * 1024 * 1024), 1).unwrap();
    sqlx::query("UPDATE file_versions SET text_zstd = $1 WHERE path = 'src/a b.rs'")
        .bind(bomb)
        .execute(fixture.database.pool())
        .await
        .unwrap();
    let (status, problem) = fixture.get(&format!("/api/v1/documents/{document}/pages/sources/src/a%20b.rs")).await;
    assert_eq!((status, problem["code"].as_str()), (500, Some("internal")));
    fixture.stop().await;
}
