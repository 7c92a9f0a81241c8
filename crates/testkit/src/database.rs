//! A database for one test.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::cleanup::run_to_end;
use crate::{random_name, server_url};

const SERVER: &str = "CAFFEINE_DATABASE_URL";
/// The advisory lock under which templates are made; the number means nothing.
const TEMPLATE_LOCK: i64 = 0x6361_6666_6569_6e65;
/// Small, because many tests share the server's connections.
const POOL_SIZE: u32 = 8;

/// A database that only this test uses, dropped with this value, open connections or not.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
    url: String,
    pool: PgPool,
}

impl TestDatabase {
    /// A database with all migrations. They are applied once per content of `migrations/`, to a
    /// template; a test gets a copy of it, which takes a few milliseconds.
    pub async fn create() -> Self {
        Self::create_on(server_url(SERVER)).await
    }

    /// The same on another server than the one that `make test` started, for tests that stop it.
    pub async fn create_on(server: String) -> Self {
        let template = template(&server).await;
        Self::copy_of(server, &template).await
    }

    /// A database with nothing in it, for tests of the migrations themselves.
    pub async fn create_empty() -> Self {
        Self::create_empty_on(server_url(SERVER)).await
    }

    /// The same on another server than the one that `make test` started.
    pub async fn create_empty_on(server: String) -> Self {
        Self::copy_of(server, "template1").await
    }

    async fn copy_of(server: String, template: &str) -> Self {
        let name = format!("caffeine_test_{}", random_name());
        let mut connection = connect(&server).await;
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let _ = connection.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .connect_with(options(&server).database(&name))
            .await
            .expect("a database that was just created takes connections");
        let url = with_database(&server, &name);
        Self { server, name, url, pool }
    }

    /// The address of this database, with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of connections to this database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Drops the database now; dropping this value does the same.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        run_to_end(async move {
            if let Ok(mut connection) = PgConnection::connect_with(&options(&server)).await {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await;
                drop_roles(&mut connection, &name).await;
            }
        });
    }
}

/// Roles belong to the server; those of a database are named after it.
async fn drop_roles(connection: &mut PgConnection, database: &str) {
    let roles = sqlx::query_scalar("SELECT quote_ident(rolname) FROM pg_roles WHERE starts_with(rolname, $1)")
        .bind(format!("{database}_"))
        .fetch_all(&mut *connection);
    let roles: Vec<String> = roles.await.unwrap_or_default();
    for role in roles {
        let _ = sqlx::raw_sql(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(&mut *connection).await;
    }
}

/// The name of the template with the present migrations, made if no other test was faster.
async fn template(server: &str) -> String {
    let folder = migrations_folder();
    let name = format!("caffeine_template_{:016x}", fingerprint(&folder));
    let mut connection = connect(server).await;
    // Held by the connection, so a test that is killed here blocks nobody.
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut connection)
        .await
        .expect("the advisory lock can be taken");
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .expect("the list of databases can be read");
    if !exists {
        // Renamed when complete: a killed test leaves no half template under the final name.
        let fresh = format!("{name}_new");
        execute(&mut connection, format!("DROP DATABASE IF EXISTS {fresh} WITH (FORCE)")).await;
        execute(&mut connection, format!("CREATE DATABASE {fresh}")).await;
        migrate(server, &fresh, &folder).await;
        execute(&mut connection, format!("ALTER DATABASE {fresh} RENAME TO {name}")).await;
    }
    // Ends the lock.
    let _ = connection.close().await;
    name
}

async fn migrate(server: &str, database: &str, folder: &Path) {
    let mut connection = PgConnection::connect_with(&options(server).database(database))
        .await
        .expect("a database that was just created takes connections");
    let migrator = Migrator::new(folder)
        .await
        .unwrap_or_else(|error| panic!("the migrations in {} are readable: {error}", folder.display()));
    migrator
        .run(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("the migrations apply to an empty database: {error}"));
    let _ = connection.close().await;
}

fn migrations_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

/// Changes when any migration does.
fn fingerprint(folder: &Path) -> u64 {
    let listing =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{} can be listed: {error}", folder.display()));
    let mut files: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.file_name().hash(&mut hasher);
        std::fs::read(&file)
            .unwrap_or_else(|error| panic!("{} can be read: {error}", file.display()))
            .hash(&mut hasher);
    }
    hasher.finish()
}

fn options(server: &str) -> PgConnectOptions {
    PgConnectOptions::from_str(server)
        .unwrap_or_else(|_| panic!("{SERVER} is an address of the form postgres://user:password@host:port/database"))
}

/// The same address with another database; the part after a `?` stays.
fn with_database(server: &str, database: &str) -> String {
    let (address, query) = server.split_once('?').map_or((server, None), |(a, q)| (a, Some(q)));
    let after_scheme = address.find("://").map_or(0, |at| at + 3);
    let end = address[after_scheme..].find('/').map_or(address.len(), |at| after_scheme + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &address[..end])
}

async fn connect(server: &str) -> PgConnection {
    PgConnection::connect_with(&options(server))
        .await
        .unwrap_or_else(|error| panic!("the PostgreSQL of {SERVER} takes connections: {error}"))
}

/// For statements that take no parameters; every name in them is made here.
async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_everything_but_its_database() {
        for (server, expected) in [
            ("postgres://u:p@127.0.0.1:5/caffeine", "postgres://u:p@127.0.0.1:5/x"),
            ("postgres://u:p@127.0.0.1:5", "postgres://u:p@127.0.0.1:5/x"),
            ("postgres://u:p@h/a?sslmode=disable", "postgres://u:p@h/x?sslmode=disable"),
            ("postgres://u:p@h?sslmode=disable", "postgres://u:p@h/x?sslmode=disable"),
        ] {
            assert_eq!(with_database(server, "x"), expected);
        }
    }

    #[test]
    fn every_change_of_a_migration_changes_the_fingerprint() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut seen = vec![fingerprint(folder.path())];
        for (file, text) in [("1_a.sql", "one"), ("1_a.sql", "two"), ("2_b.sql", "two")] {
            std::fs::write(folder.path().join(file), text).expect("file is written");
            let now = fingerprint(folder.path());
            assert!(!seen.contains(&now), "{file} {text}");
            seen.push(now);
        }
        std::fs::write(folder.path().join("README.md"), "words").expect("file is written");
        assert_eq!(fingerprint(folder.path()), seen[3]);
    }
}
