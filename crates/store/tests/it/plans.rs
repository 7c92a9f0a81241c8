//! How the database goes about the search of a large repository: by its indexes.

use caffeine_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

/// The statement as the compiler has seen it.
fn search() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.sqlx");
    let queries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| {
        let query: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
        query["query"].as_str().unwrap().to_owned()
    });
    let mut found = queries.filter(|query| query.contains("named AS MATERIALIZED"));
    let query = found.next().unwrap();
    assert_eq!(found.next(), None);
    query
}

#[tokio::test]
async fn a_search_among_20_000_files_uses_indexes() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    connection.execute(sqlx::raw_sql(include_str!("large.sql"))).await.unwrap();
    connection.execute(sqlx::raw_sql("SET plan_cache_mode = force_custom_plan")).await.unwrap();
    let prepare = format!("PREPARE search AS {}", search());
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
