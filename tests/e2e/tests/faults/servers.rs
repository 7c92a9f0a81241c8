//! A broker and a database that may be stopped, killed and wiped.

use caffeine_servers::Tools;
use caffeine_servers::nats::{NatsOptions, NatsServer};
use caffeine_servers::postgres::{PostgresOptions, PostgresServer};
use tempfile::TempDir;

/// Both servers, and the folder they write to.
pub(crate) struct Servers {
    pub(crate) nats: NatsServer,
    pub(crate) postgres: PostgresServer,
    data: TempDir,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        // PostgreSQL becomes another user when this one is root.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(data.path(), open).expect("the folder is ours");
        let tools = Tools::locate().expect("`make setup` brings the servers");
        let nats = NatsOptions {
            tools: tools.clone(),
            data_dir: data.path().join("nats"),
            port: 0,
            max_store_bytes: 1 << 40,
            sync_always: false,
            monitor: false,
        };
        // One that may lose the last commits when it is stopped at once would be a fault of its own.
        let postgres = PostgresOptions { tools, data_dir: data.path().join("postgres"), durable: true };
        let (nats, postgres) = tokio::join!(NatsServer::start(nats), PostgresServer::start(postgres));
        Self { nats: nats.expect("nats-server starts"), postgres: postgres.expect("PostgreSQL starts"), data }
    }

    /// Loses everything that the broker keeps, as a lost disk would.
    pub(crate) async fn wipe_nats(&mut self) {
        self.nats.kill();
        std::fs::remove_dir_all(self.data.path().join("nats/store")).expect("the broker's files can be removed");
        self.restart_nats().await;
    }

    /// Starts the broker, after a graceful stop if it runs.
    pub(crate) async fn restart_nats(&mut self) {
        self.nats.restart().await.expect("nats-server starts again");
    }

    /// Starts the database, after a graceful stop if it runs.
    pub(crate) async fn restart_postgres(&mut self) {
        self.postgres.restart().await.expect("PostgreSQL starts again");
    }
}
