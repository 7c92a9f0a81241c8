//! Databases of tests.

use caffeine_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

async fn count(database: &TestDatabase, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(database.pool()).await.expect("it can be counted")
}

#[tokio::test]
async fn each_test_has_the_migrations_and_nothing_of_another_test() {
    let (first, second) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let migrations = count(&first, "SELECT count(*) FROM _sqlx_migrations WHERE success").await;
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations"))
        .expect("the folder is there")
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "sql"))
        .count();
    assert_eq!(usize::try_from(migrations).expect("not negative"), files);

    sqlx::raw_sql("CREATE TABLE only_here (a int)").execute(first.pool()).await.expect("created");
    let seen = "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'";
    assert_eq!(count(&first, seen).await, 1);
    assert_eq!(count(&second, seen).await, 0);
}

#[tokio::test]
async fn an_empty_database_has_no_table() {
    let database = TestDatabase::create_empty().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(count(&database, tables).await, 0);
}

#[tokio::test]
async fn a_database_is_dropped_although_somebody_is_connected() {
    let other = TestDatabase::create_empty().await;
    let database = TestDatabase::create_empty().await;
    let mut somebody = PgConnection::connect(database.url()).await.expect("it takes connections");
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut somebody).await.expect("it answers");
    let exists = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    let exists = || sqlx::query_scalar::<_, i64>(AssertSqlSafe(exists.clone())).fetch_one(other.pool());
    assert_eq!(exists().await.expect("it answers"), 1);
    drop(database);
    assert_eq!(exists().await.expect("it answers"), 0);
}
