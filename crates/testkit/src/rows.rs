//! Every row of a database, whatever its tables are: what must not change, and what must be gone.

use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;

/// The tables of the schema, each with its columns.
async fn tables(pool: &PgPool) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text \
         FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) \
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> '_sqlx_migrations' \
         ORDER BY 1, 2",
    )
    .fetch_all(pool)
    .await?;
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in columns {
        tables.entry(table).or_default().push(column);
    }
    Ok(tables)
}

async fn rows(pool: &PgPool, table: &str, condition: &str, repository: Uuid) -> Result<Vec<String>, sqlx::Error> {
    let statement = format!("SELECT t::text FROM {table} AS t WHERE {condition} ORDER BY t::text COLLATE \"C\"");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(repository).fetch_all(pool).await
}

/// All rows of all tables, by table.
///
/// # Errors
/// If a statement fails.
pub async fn all_rows(pool: &PgPool) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let mut all = BTreeMap::new();
    for table in tables(pool).await?.into_keys() {
        let rows = rows(pool, &table, "$1::uuid IS NOT NULL", Uuid::nil()).await?;
        all.insert(table, rows);
    }
    Ok(all)
}

/// All rows that belong to a repository or one of its runs, by table; tables without any are left out.
///
/// # Errors
/// If a statement fails.
pub async fn repository_rows(pool: &PgPool, repository: Uuid) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let of = |column: &str, table: &str| {
        format!("{column} IN (SELECT o.{column} FROM {table} AS o WHERE o.repository_id = $1)")
    };
    let mut all = BTreeMap::new();
    for (table, columns) in tables(pool).await? {
        let has = |column: &str| columns.iter().any(|known| known == column);
        let condition = if has("repository_id") && table != "outbox" {
            "repository_id = $1".to_owned()
        } else if has("run_id") {
            of("run_id", "runs")
        } else if has("document_id") {
            of("document_id", "documents")
        } else if has("file_version_id") {
            of("file_version_id", "file_versions")
        } else {
            continue;
        };
        let rows = rows(pool, &table, &condition, repository).await?;
        if !rows.is_empty() {
            all.insert(table, rows);
        }
    }
    Ok(all)
}
