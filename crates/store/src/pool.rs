//! The connection pool and the schema's version.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor as _, PgPool};

use crate::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// A process that is frozen, or whose machine has died, keeps its transaction open and with it the lock of a run's row:
/// the server ends such a transaction, or everybody else's work on that run would wait until it is given up.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '60s'";

/// A pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
}

/// How the database's schema relates to this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationStatus {
    /// The same.
    Current,
    /// This many migrations are missing: run `caffeine migrate`.
    Pending(usize),
    /// The database is newer than this program.
    Ahead,
}

/// A pool at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// At work.
    pub used: u32,
    /// Ready.
    pub idle: u32,
    /// The most there may be.
    pub most: u32,
}

impl Store {
    /// Connects with at most `connections` connections. `application` is shown in `pg_stat_activity`.
    ///
    /// # Errors
    /// If the URL is malformed or the server cannot be reached within ten seconds.
    pub async fn connect(url: &str, connections: u32, application: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name(application).disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            // Not as a parameter of the start: poolers in between refuse those.
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(drop) }))
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    /// Applies the missing migrations; safe to run from several places at once.
    ///
    /// # Errors
    /// If a migration fails; those before it stay applied.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        MIGRATIONS.run(&self.pool).await.map_err(|error| StoreError::Other(sqlx::Error::Migrate(Box::new(error))))
    }

    /// Compares the applied migrations with those of this program.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn migration_status(&self) -> Result<MigrationStatus, StoreError> {
        // The table does not exist before the first migration, so this one statement cannot be compile-checked.
        let applied: Vec<i64> = match sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
            .fetch_all(&self.pool)
            .await
        {
            Ok(versions) => versions,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let pending = known.iter().filter(|version| !applied.contains(version)).count();
        if pending > 0 {
            return Ok(MigrationStatus::Pending(pending));
        }
        let ahead = applied.iter().any(|version| !known.contains(version));
        Ok(if ahead { MigrationStatus::Ahead } else { MigrationStatus::Current })
    }

    /// Asks the database for a sign of life: for readiness.
    ///
    /// # Errors
    /// If there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query!("SELECT 1 AS one").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// How many connections there are, and how many there may be.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        Connections {
            used: self.pool.size().saturating_sub(idle),
            idle,
            most: self.pool.options().get_max_connections(),
        }
    }

    /// Closes all connections after their statements have ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use caffeine_testkit::TestDatabase;

    use super::{Connections, Store};
    use crate::StoreError;

    #[tokio::test]
    async fn connections_are_counted() {
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url(), 3, "test").await.unwrap();
        let tx = store.pool.begin().await.unwrap();
        assert_eq!(store.connections(), Connections { used: 1, idle: 0, most: 3 });
        drop(tx);
        // Given back by a task of its own.
        caffeine_testkit::eventually(std::time::Duration::from_secs(10), || async {
            store.connections() == Connections { used: 0, idle: 1, most: 3 }
        })
        .await;
    }

    #[tokio::test]
    async fn a_transaction_that_nobody_goes_on_with_is_ended() {
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url(), 1, "test").await.unwrap();
        let mut tx = store.pool.begin().await.unwrap();
        let timeout: String =
            sqlx::query_scalar("SHOW idle_in_transaction_session_timeout").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(timeout, "1min");

        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '1ms'").execute(&mut *tx).await.unwrap();
        // The server hangs up; whatever is asked next finds out.
        let gone = "SELECT count(*) = 0 AS gone FROM pg_stat_activity WHERE application_name = 'test' \
                    AND datname = current_database() AND pid <> pg_backend_pid()";
        caffeine_testkit::eventually(std::time::Duration::from_secs(10), || async {
            sqlx::query_scalar(gone).fetch_one(database.pool()).await.unwrap()
        })
        .await;
        let error = StoreError::from(sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap_err());
        assert!(matches!(error, StoreError::Unavailable(_)), "nobody's fault: {error:?}");
        drop(tx);
        store.ping().await.expect("a new connection is made");
    }
}
