//! What a repository holds: overview, list of files, single files.

use serde_json::{Value, json};

use crate::documents::{SOURCE, with_document};
use crate::fixture::{Fixture, course, id};

const COMMIT: &str = "0707070707070707070707070707070707070707";

/// The repository of the one run that there is.
async fn repository(fixture: &Fixture) -> String {
    let (_, listed) = fixture.get("/api/v1/repositories").await;
    format!("/api/v1/repositories/{}", id(&listed["items"][0], "/id"))
}

#[tokio::test]
async fn a_repository_without_a_snapshot_is_empty() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let base = format!("/api/v1/repositories/{}", scope.repository);
    let (status, overview) = fixture.get(&format!("{base}/overview")).await;
    assert_eq!((status, &overview["files"], &overview["languages"]), (200, &json!(0), &json!([])));
    assert_eq!(overview["run"]["id"], scope.run.to_string());
    assert!(overview.get("document").is_none() && overview.get("commit").is_none(), "{overview}");
    for path in ["tree".to_owned(), "blob?path=a.rs".to_owned(), format!("tree?commit={COMMIT}")] {
        assert_eq!(fixture.get(&format!("{base}/{path}")).await.0, 404, "{path}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_snapshot_is_read_file_by_file() {
    let fixture = Fixture::start().await;
    let document = with_document(&fixture).await;
    let base = repository(&fixture).await;
    fixture
        .execute(
            "INSERT INTO symbols (file_version_id, analyser, ordinal, workspace_id, kind, name, qualified, signature,
                 doc, visibility, exported, start_line, end_line, start_byte, end_byte)
             SELECT file_version_id, analyser, 0, workspace_id, 'function', 'größe', 'größe', '', '', 'private', false,
                 1, 3, 0, 9 FROM file_versions WHERE path = 'src/a b.rs';
             INSERT INTO citations (document_id, slug, number, ordinal, workspace_id, path, oid, start_line, end_line)
             SELECT document_id, 'index', number, 0, workspace_id, path, decode(repeat('01', 20), 'hex'), 1, 2
             FROM documents, (VALUES (1, 'logo.png'), (2, 'src/a b.rs')) AS c (number, path)",
        )
        .await;

    // The run works: its commit can be read by name, and is not the latest that can be read.
    assert_eq!(fixture.get(&format!("{base}/tree")).await.0, 404);
    assert_eq!(fixture.get(&format!("{base}/tree?commit={COMMIT}")).await.0, 200);
    let (_, run) = fixture.get("/api/v1/runs").await;
    let scope = fixture.scope(id(&run["items"][0], "/repository_id"), id(&run["items"][0], "/id")).await;
    for transition in course(&[document]) {
        fixture.report(&scope, transition).await;
    }
    fixture.reaches(scope.run, "completed").await;

    let (status, overview) = fixture.get(&format!("{base}/overview")).await;
    assert_eq!(status, 200, "{overview}");
    assert_eq!(overview["languages"], json!([{ "language": "rust", "files": 1, "lines": 3 }]));
    let numbers = ["files", "modules", "symbols", "edges", "chunks", "skipped"].map(|name| overview[name].clone());
    assert_eq!(numbers, [1, 2, 12, 3, 20, 2].map(Value::from));
    assert_eq!((&overview["commit"], &overview["document"]["id"]), (&json!(COMMIT), &json!(document.to_string())));

    let (_, tree) = fixture.get(&format!("{base}/tree")).await;
    assert_eq!((&tree["commit"], &tree["truncated"]), (&json!(COMMIT), &json!(false)));
    let files: Vec<_> = tree["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
    assert_eq!(files, ["logo.png", "src/a b.rs"]);
    assert_eq!(tree["files"][0]["skipped_reason"], "binary");
    assert!(tree["files"][1].get("skipped_reason").is_none());
    assert_eq!(fixture.get(&format!("{base}/tree?commit={COMMIT}")).await.1, tree);
    assert_eq!(fixture.get(&format!("{base}/tree?commit={}", "08".repeat(20))).await.0, 404);
    for bad in ["07", "main", &"z".repeat(40)] {
        let (status, problem) = fixture.get(&format!("{base}/tree?commit={bad}")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad_commit")), "{bad}");
    }

    let (status, blob) = fixture.get(&format!("{base}/blob?path=src/a%20b.rs")).await;
    assert_eq!((status, &blob["text"], &blob["lines"]), (200, &json!(SOURCE), &json!(3)), "{blob}");
    assert_eq!(blob["oid"], "01".repeat(20));
    assert_eq!(blob["symbols"], json!([{ "name": "größe", "kind": "function", "start_line": 1, "end_line": 3 }]));
    let citing = json!([{ "document": document.to_string(), "slug": "index", "title": "index" }]);
    assert_eq!(blob["pages"], citing, "only what the published revision cites");
    let (status, problem) = fixture.get(&format!("{base}/blob?path=logo.png")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("no_text")));
    for hostile in ["absent.rs", "../../etc/passwd", "/etc/passwd", "src", "src%00", "%ff", "", "src%2F..%2Flogo.png"] {
        let (status, _) = fixture.get(&format!("{base}/blob?path={hostile}")).await;
        assert!(status == 404 || status == 400, "{hostile}: {status}");
    }
    assert_eq!(fixture.get(&format!("{base}/blob")).await.0, 400, "a path is needed");
    fixture.stop().await;
}

#[tokio::test]
async fn of_a_commit_the_readable_run_is_read() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    crate::search::index(&fixture, &scope, &[("a.rs", "fn a() {}")]).await;
    let base = format!("/api/v1/repositories/{}", scope.repository);
    assert_eq!(fixture.get(&format!("{base}/tree")).await.1["files"][0]["path"], "a.rs");
    // A second run of the same commit has listed its files and fails.
    let (second, _) = fixture.add("https://git.example/a").await;
    crate::search::index(&fixture, &second, &[("b.rs", "fn b() {}")]).await;
    fixture.execute("UPDATE runs SET state = 'failed' WHERE created_at = (SELECT max(created_at) FROM runs)").await;
    for query in ["", "?commit=0707070707070707070707070707070707070707"] {
        assert_eq!(fixture.get(&format!("{base}/tree{query}")).await.1["files"][0]["path"], "a.rs", "{query}");
    }
    fixture.stop().await;
}
