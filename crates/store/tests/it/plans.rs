//! How the database goes about the search of a large repository, and about lists: by its indexes.

use caffeine_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

/// The statement as the compiler has seen it, by a part that no other has.
fn statement(part: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.sqlx");
    let queries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| {
        let query: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
        query["query"].as_str().unwrap().to_owned()
    });
    let mut found = queries.filter(|query| query.contains(part));
    let query = found.next().unwrap_or_else(|| panic!("no statement has {part}"));
    assert_eq!(found.next(), None, "{part}");
    query
}

#[tokio::test]
async fn a_search_among_20_000_files_uses_indexes() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    connection.execute(sqlx::raw_sql(include_str!("large.sql"))).await.unwrap();
    connection.execute(sqlx::raw_sql("SET plan_cache_mode = force_custom_plan")).await.unwrap();
    let prepare = format!("PREPARE search AS {}", statement("named AS MATERIALIZED"));
    connection.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await.unwrap();

    let explain = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) EXECUTE search (md5('w')::uuid, md5('r1')::uuid, \
        NULL, array_fill(0.0625::real, ARRAY[256])::halfvec(256), ARRAY['''w97''', '''w89'''], ARRAY['name4711'], \
        ARRAY['name4711'], ARRAY['name4711'], 100, 6, 0.3, 0.4, 1.0, 10, '''w97'' | ''w89''')";
    let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.unwrap();
    let plan = rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n");
    for index in ["symbols_by_name", "chunks_by_lexeme", "chunks_pkey", "file_versions_pkey"] {
        assert!(plan.contains(index), "{index} is not used:\n{plan}");
    }
    for table in ["symbols", "file_versions"] {
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "all of {table} is read:\n{plan}");
    }
    // One definition comes first; both halves are full.
    assert!(plan.contains("actual rows=10.00"), "{plan}");
}

/// A page of a list is read along an index in the list's order, and not sorted out of all rows.
#[tokio::test]
async fn lists_are_read_in_the_order_of_an_index() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    // Of tables this small all would be read; what is left is what the statement and the indexes allow.
    connection.execute(sqlx::raw_sql("SET enable_seqscan = off; SET enable_bitmapscan = off")).await.unwrap();
    for (part, index) in [
        ("ORDER BY created_at DESC, token_id LIMIT", "tokens_by_user"),
        ("ORDER BY created_at DESC, session_id LIMIT", "sessions_by_user"),
        ("ORDER BY created_at, webhook_id LIMIT", "webhooks_by_repository"),
        ("ORDER BY c.name, c.credential_id LIMIT", "credentials_workspace_id_name_key"),
        ("ORDER BY t.name, t.template_id LIMIT", "prompt_templates_workspace_id_name_key"),
        ("ORDER BY v.number DESC LIMIT", "prompt_versions_template_id_number_key"),
    ] {
        let explain = format!("EXPLAIN (GENERIC_PLAN, COSTS OFF) {}", statement(part));
        let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        let text = plan.join("\n");
        assert!(text.contains(index), "{index} is not used:\n{text}");
        // Ties are broken among equals (`Incremental Sort`), and only what ships with the program is sorted: an index's
        // order is not known to hold where a column is NULL.
        let step = |line: &String| line.trim_start_matches([' ', '-', '>']).to_owned();
        let sorts = plan.iter().filter(|line| step(line) == "Sort").count();
        let built_in = plan.iter().filter(|line| step(line) == "Index Cond: (workspace_id IS NULL)").count();
        assert_eq!(sorts, built_in, "{index} does not give the order:\n{text}");
    }
}
