//! A stack whose services are users of their own, as in an installation: each has a key for the broker and a role in the
//! database, made by `caffeine users` and `caffeine migrate --roles`.

use std::path::PathBuf;
use std::process::Command;

use caffeine_servers::Tools;
use caffeine_servers::nats::{NatsOptions, NatsServer};
use caffeine_testkit::{TestBus, TestDatabase};
use tempfile::TempDir;

use crate::process::program;

/// Known to the keys' permissions before there is a bus.
const PREFIX: &str = "tidentities";
/// Addresses without user and password, for whoever has no identity.
const NOBODY: &str = "postgres://127.0.0.1:1/nobody";

/// A broker of its own with the contract's users, and one user for the test itself.
pub(crate) struct Identities {
    server: NatsServer,
    password: String,
    keys: PathBuf,
    _folder: TempDir,
}

impl Identities {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let keys = folder.path().join("identities");
        caffeine(&["users", &keys.display().to_string()], &[("CAFFEINE_NATS_PREFIX", PREFIX.to_owned())]);
        let text = std::fs::read_to_string(keys.join("nats-users.json")).expect("`caffeine users` writes it");
        let mut written: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let password = uuid::Uuid::new_v4().simple().to_string();
        let accounts = &mut written["accounts"];
        let users = accounts["CAFFEINE"]["users"].as_array_mut().expect("the users are a list");
        users.push(serde_json::json!({ "user": "test", "password": password }));
        let options = NatsOptions {
            tools: Tools::locate().expect("`make setup` has run"),
            data_dir: folder.path().join("nats"),
            port: 0,
            max_store_bytes: 2 << 30,
            sync_always: false,
            monitor: false,
        };
        let server = NatsServer::start_with_accounts(options, accounts.take()).await.expect("nats-server starts");
        Self { server, password, keys, _folder: folder }
    }

    /// The test's own connection.
    pub(crate) async fn bus(&self) -> TestBus {
        let url = format!("nats://test:{}@{}", self.password, self.server.address());
        TestBus::connect_to(url).await.with_prefix(PREFIX)
    }

    /// Makes the roles; returns who everybody is. Whoever is not in it can do nothing.
    pub(crate) fn variables(&self, database: &TestDatabase) -> Vec<(&'static str, String)> {
        let owner = [("CAFFEINE_DATABASE_URL", database.url().to_owned())];
        caffeine(&["migrate", "--roles", &self.keys.display().to_string()], &owner);
        let file = |name: &str| self.keys.join(name).display().to_string();
        vec![
            ("CAFFEINE_NATS_URL", self.server.url()),
            ("CAFFEINE_DATABASE_URL", NOBODY.to_owned()),
            // What a service would fall back to is the provisioner's, who can do no service's work.
            ("CAFFEINE_NATS_NKEY_FILE", file("provisioner.nk")),
            ("CAFFEINE_GATEWAY_NATS_NKEY_FILE", file("gateway.nk")),
            ("CAFFEINE_GATEWAY_DATABASE_URL_FILE", file("gateway.database-url")),
            ("CAFFEINE_CLONER_NATS_NKEY_FILE", file("cloner.nk")),
            ("CAFFEINE_CLONER_DATABASE_URL_FILE", file("cloner.database-url")),
            ("CAFFEINE_CHUNKER_NATS_NKEY_FILE", file("chunker.nk")),
            ("CAFFEINE_CHUNKER_DATABASE_URL_FILE", file("chunker.database-url")),
            ("CAFFEINE_EMBEDDER_NATS_NKEY_FILE", file("embedder.nk")),
            ("CAFFEINE_EMBEDDER_DATABASE_URL_FILE", file("embedder.database-url")),
            ("CAFFEINE_DOC_WRITER_NATS_NKEY_FILE", file("doc-writer.nk")),
            ("CAFFEINE_DOC_WRITER_DATABASE_URL_FILE", file("doc-writer.database-url")),
            ("CAFFEINE_HOUSEKEEPER_NATS_NKEY_FILE", file("housekeeper.nk")),
            ("CAFFEINE_HOUSEKEEPER_DATABASE_URL_FILE", file("housekeeper.database-url")),
        ]
    }

    /// The broker's address, for whoever has a key.
    pub(crate) fn broker(&self) -> String {
        self.server.url()
    }

    /// The folder with keys and addresses.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.keys
    }
}

fn caffeine(arguments: &[&str], variables: &[(&str, String)]) {
    let output = Command::new(program("caffeine"))
        .args(arguments)
        .envs(variables.iter().map(|(key, value)| (*key, value)))
        .output()
        .expect("`make test` builds caffeine");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
