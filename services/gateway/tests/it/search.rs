//! Search over inserted chunks.

use caffeine_contract::Scope;
use caffeine_embedding::{Embedder, lexical};
use caffeine_model::{FileVersionId, Oid, RepoPath};
use serde_json::Value;

use crate::fixture::{Fixture, TABLE};

const FILES: [(&str, &str); 4] = [
    ("src/pool.rs", "pub struct ConnectionPool { connections: Vec<Connection> }"),
    ("src/retry.rs", "fn retry_with_backoff(attempts: u32) { sleep(delay) }"),
    ("src/parse.rs", "fn parse_json(text: &str) -> Result<Value, Error>"),
    ("src/odd.txt", "zyxgluon §§§"),
];

/// Makes a run indexed, with these files in its snapshot, one chunk each.
pub(crate) async fn index(fixture: &Fixture, scope: &Scope, files: &[(&str, &str)]) {
    let pool = fixture.database.pool();
    sqlx::query(
        "INSERT INTO snapshots (run_id, workspace_id, repository_id, ref, commit_oid, tree_oid, committed_at, truncated)
         VALUES ($1, $2, $3, 'main', decode(repeat('07', 20), 'hex'), decode(repeat('07', 20), 'hex'), now(), false)",
    )
    .bind(scope.run.as_uuid())
    .bind(scope.workspace.as_uuid())
    .bind(scope.repository.as_uuid())
    .execute(pool)
    .await
    .unwrap();
    for (path, text) in files {
        let repo_path = RepoPath::parse(path.as_bytes()).unwrap();
        let version = FileVersionId::derive(scope.repository, &repo_path, Oid::from_bytes(&[1; 20]).unwrap()).as_uuid();
        sqlx::query(
            "INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size)
             VALUES ($1, $2, $3, $4, $5, decode(repeat('01', 20), 'hex'), 33188, 1)",
        )
        .bind(scope.run.as_uuid())
        .bind(scope.workspace.as_uuid())
        .bind(scope.repository.as_uuid())
        .bind(path)
        .bind(version)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO embedded_versions (file_version_id, analyser, model, workspace_id, repository_id, chunks)
             VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT DO NOTHING",
        )
        .bind(version)
        .bind(&scope.analyser)
        .bind(&scope.embedding_model)
        .bind(scope.workspace.as_uuid())
        .bind(scope.repository.as_uuid())
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO file_versions (file_version_id, analyser, workspace_id, repository_id, path, oid, language,
                 category, encoding, lines, source_lines, parse_quality, text_zstd)
             VALUES ($1, $2, $3, $4, $5, decode(repeat('01', 20), 'hex'), 'rust', 'source', 'utf-8', 9, 9, 'full', $6)
             ON CONFLICT DO NOTHING",
        )
        .bind(version)
        .bind(&scope.analyser)
        .bind(scope.workspace.as_uuid())
        .bind(scope.repository.as_uuid())
        .bind(path)
        .bind(zstd::encode_all(text.as_bytes(), 1).unwrap())
        .execute(pool)
        .await
        .unwrap();
        let vector = TABLE.embed(&[text]).unwrap().remove(0).into_vector();
        sqlx::query(
            "INSERT INTO chunks (file_version_id, analyser, model, ordinal, workspace_id, repository_id, path, language,
                 kind, scope, symbol, start_line, end_line, content, lexemes, embedding)
             VALUES ($1, $2, $3, 0, $4, $5, $6, 'rust', 'code', 'mod a', 'f', 3, 9, $7, array_to_tsvector($8),
                 $9::real[]::halfvec(256)) ON CONFLICT DO NOTHING",
        )
        .bind(version)
        .bind(&scope.analyser)
        .bind(&scope.embedding_model)
        .bind(scope.workspace.as_uuid())
        .bind(scope.repository.as_uuid())
        .bind(path)
        .bind(text)
        .bind(lexical::lexemes(text))
        .bind(vector)
        .execute(pool)
        .await
        .unwrap();
    }
    sqlx::query("UPDATE runs SET state = 'completed', ended_at = now() WHERE run_id = $1")
        .bind(scope.run.as_uuid())
        .execute(pool)
        .await
        .unwrap();
}

async fn paths(fixture: &Fixture, query: &str) -> Vec<String> {
    let (status, body) = fixture.get(&format!("/api/v1/search?q={query}")).await;
    assert_eq!(status, 200, "{body}");
    let items: &Vec<Value> = body["items"].as_array().unwrap();
    let scores: Vec<f64> = items.iter().map(|item| item["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    items.iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn by_meaning_and_by_words() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    assert!(paths(&fixture, "pool").await.is_empty(), "nothing is indexed yet");
    index(&fixture, &scope, &FILES).await;
    assert_eq!(paths(&fixture, "connection%20pool").await[0], "src/pool.rs");
    assert_eq!(paths(&fixture, "json%20parser").await[0], "src/parse.rs");
    assert_eq!(paths(&fixture, "zyxgluon").await[0], "src/odd.txt", "a word that no model knows is found by itself");
    assert_eq!(paths(&fixture, "retry&limit=1").await, ["src/retry.rs"]);
    let (_, body) = fixture.get("/api/v1/search?q=connection%20pool").await;
    let hit = &body["items"][0];
    assert_eq!((&hit["start_line"], &hit["end_line"]), (&3.into(), &9.into()));
    assert_eq!((&hit["symbol"], &hit["scope"], &hit["excerpt"]), (&"f".into(), &"mod a".into(), &FILES[0].1.into()));
    assert_eq!(hit["run_id"], scope.run.to_string());
    for hostile in ["'", "%27%20%7C%20%27", "%5C", "%26%20%7C%20!", "%C2%A7", "%3A%2A", "a".repeat(900).as_str()] {
        let (status, body) = fixture.get(&format!("/api/v1/search?q={hostile}")).await;
        assert_eq!(status, 200, "{hostile}: {body}");
    }
    assert!(paths(&fixture, "%20").await.is_empty(), "nothing is asked, nothing is found");
    assert_eq!(fixture.get("/api/v1/search?q=").await.0, 400);
    assert_eq!(fixture.get("/api/v1/search?q=a%00").await.0, 400);
    assert_eq!(fixture.get(&format!("/api/v1/search?q={}", "a".repeat(1_001))).await.0, 400);
    assert_eq!(fixture.get("/api/v1/search?q=a&limit=51").await.0, 400);
    fixture.stop().await;
}

/// What the program has more than [`FILES`]: one definition, and several places that speak of it more often.
const USES: [(&str, &str); 5] = [
    ("src/a_use.rs", "fn main() { reap(reap(reap())); Reap::reap() } // reap, reap and SkipReason::reap"),
    ("src/keeper.rs", "async fn reap(store: &Store) { for ghost in store.ghosts() { store.bury(ghost) } }"),
    ("src/lease.rs", "pub struct Renewal { until: Instant, holder: Option<Holder>, SkipReason }"),
    ("tests/it/lease.rs", "fn reap() { reap(reap) } fn lease() { lease_is_renewed(lease) }"),
    ("web/a_lease.ts", "export type Lease = { lease: string } // lease.rs: lease, lease, lease"),
];

/// Stores that a file declares these names, in its only chunk, and what the file is for.
async fn declares(fixture: &Fixture, path: &str, category: &str, names: &[&str]) {
    let pool = fixture.database.pool();
    sqlx::query("UPDATE file_versions SET category = $2 WHERE path = $1")
        .bind(path)
        .bind(category)
        .execute(pool)
        .await
        .unwrap();
    for (ordinal, qualified) in names.iter().enumerate() {
        sqlx::query(
            "INSERT INTO symbols (file_version_id, analyser, ordinal, workspace_id, kind, name, qualified, signature, doc,
                 visibility, exported, start_line, end_line, start_byte, end_byte)
             SELECT file_version_id, analyser, $2, workspace_id, 'function', $3, $4, '', '', 'private', false, 5, 7, 0, 0
             FROM file_versions WHERE path = $1",
        )
        .bind(path)
        .bind(i32::try_from(ordinal).unwrap())
        .bind(qualified.rsplit("::").next().unwrap())
        .bind(qualified)
        .execute(pool)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn where_a_name_is_defined_comes_first() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    index(&fixture, &scope, &[&FILES[..], &USES[..]].concat()).await;
    declares(&fixture, "src/keeper.rs", "source", &["Keeper::reap"]).await;
    declares(&fixture, "src/lease.rs", "source", &["Renewal", "Renewal::max_wait"]).await;
    declares(&fixture, "tests/it/lease.rs", "test", &["reap", "lease"]).await;
    declares(&fixture, "src/odd.txt", "data", &[]).await;

    for query in ["reap", "reap()", "fn%20reap", "REAP", "Keeper::reap", "%60reap%60"] {
        assert_eq!(paths(&fixture, query).await[0], "src/keeper.rs", "{query}");
    }
    assert_eq!(paths(&fixture, "reap").await[1], "tests/it/lease.rs", "a test that defines it comes before uses");
    assert_eq!(paths(&fixture, "Other::reap&limit=1").await, ["src/a_use.rs"], "nothing of that name is defined");
    for query in ["Renewal", "lease.rs", "src/lease.rs", "why%20does%20max_wait%20grow?", "what%20is%20in%20lease.rs"] {
        assert_eq!(paths(&fixture, query).await[0], "src/lease.rs", "{query}");
    }
    assert_eq!(paths(&fixture, "a-lease").await[0], "web/a_lease.ts", "a file may be named without its ending");

    let (_, body) = fixture.get("/api/v1/search?q=reap").await;
    assert_eq!((&body["items"][0]["defines"], &body["items"][0]["category"]), (&true.into(), &"source".into()));
    let uses = body["items"].as_array().unwrap().iter().find(|item| item["path"] == "src/a_use.rs").unwrap();
    assert_eq!(uses["defines"], false);
    fixture.stop().await;
}

#[tokio::test]
async fn a_name_with_many_places_does_not_drown_a_question() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let many: Vec<String> = (0..7).map(|number| format!("crates/c{number}/Cargo.toml")).collect();
    let mut files: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "[package]\nname = 'c'")).collect();
    files.push(("src/manifest.rs", "fn parse_manifest(text: &str) -> Manifest { toml::parse(text) } // of Cargo.toml"));
    index(&fixture, &scope, &files).await;
    assert_eq!(paths(&fixture, "parse%20the%20manifest%20in%20Cargo.toml").await[0], "src/manifest.rs");
    assert_eq!(paths(&fixture, "Cargo.toml").await[..7], many[..], "but alone it is what is looked for");
    fixture.stop().await;
}

#[tokio::test]
async fn tests_and_data_come_after_the_program() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let text = "fn retry_with_backoff(attempts: u32) { sleep(delay) }";
    let files = ["a_data.rs", "a_test.rs", "b_config.rs", "c_docs.rs", "d_source.rs"].map(|path| (path, text));
    index(&fixture, &scope, &files).await;
    for (path, category) in files.map(|(path, _)| (path, &path[2..path.len() - 3])) {
        declares(&fixture, path, category, &[]).await;
    }
    let found = paths(&fixture, "retry%20with%20a%20backoff").await;
    assert_eq!(found, ["c_docs.rs", "d_source.rs", "b_config.rs", "a_data.rs", "a_test.rs"]);
    fixture.stop().await;
}

#[tokio::test]
async fn nothing_is_answered_if_nothing_comes_close() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let outcome = async |query: &str| {
        let (status, body) = fixture.get(&format!("/api/v1/search?q={query}")).await;
        assert_eq!(status, 200, "{body}");
        (body["outcome"].as_str().unwrap().to_owned(), body["items"].as_array().unwrap().len())
    };
    assert_eq!(outcome("retry").await, ("nothing_indexed".to_owned(), 0));
    index(&fixture, &scope, &FILES).await;
    for nonsense in ["zxqv%20blorp", "mituvo", "the%20zxqv%20of%20the%20blorp", "how%20do%20whales%20breathe"] {
        assert_eq!(outcome(nonsense).await, ("nothing_fits".to_owned(), 0), "{nonsense}");
    }
    for sense in ["retry", "zyxgluon", "parse%20json%20into%20a%20value", "how%20are%20connections%20pooled"] {
        assert_eq!(outcome(sense).await.0, "found", "{sense}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn only_the_latest_indexed_snapshot_is_searched() {
    let fixture = Fixture::start().await;
    let (old, _) = fixture.add("https://git.example/a").await;
    index(&fixture, &old, &FILES).await;
    let (new, _) = fixture.add("https://git.example/a").await;
    assert_eq!(paths(&fixture, "connection%20pool").await[0], "src/pool.rs", "a run that works hides nothing");
    index(&fixture, &new, &FILES[1..]).await;
    assert!(!paths(&fixture, "connection%20pool").await.contains(&"src/pool.rs".to_owned()));

    let (other, _) = fixture.add("https://git.example/b").await;
    index(&fixture, &other, &FILES[..1]).await;
    assert_eq!(paths(&fixture, "connection%20pool").await[0], "src/pool.rs");
    let only = format!("connection%20pool&repository={}", new.repository);
    assert!(!paths(&fixture, &only).await.contains(&"src/pool.rs".to_owned()));
    fixture.stop().await;
}
