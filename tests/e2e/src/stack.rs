//! Five processes, a database and a prefix.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caffeine_testkit::{TestBus, TestDatabase, eventually, eventually_some};
use tempfile::TempDir;
use uuid::Uuid;

use crate::api::Api;
use crate::identities::Identities;
use crate::process::{ServiceProcess, program};

/// The services, in the order of the pipeline.
pub const SERVICES: [&str; 5] = ["gateway", "cloner", "chunker", "embedder", "doc-writer"];

/// How much of each log a failed test shows.
const LOG_LINES: usize = 40;

/// What a test wants differently.
#[derive(Debug, Default)]
pub struct StackOptions {
    /// Git servers on loopback that may be cloned from, as `host:port`.
    pub allow_hosts: Vec<String>,
    /// `<service>:<message>:<point>`: kills that service once, there.
    pub fault: Option<String>,
    /// More variables for every service.
    pub variables: Vec<(String, String)>,
    /// Each service is a user of its own, of a broker of its own and of the database.
    pub identities: bool,
}

impl StackOptions {
    /// Only a git server.
    #[must_use]
    pub fn with_host(host: String) -> Self {
        Self { allow_hosts: vec![host], ..Self::default() }
    }
}

/// A running system.
pub struct Stack {
    /// The gateway's client, as the administrator of the first start.
    pub api: Api,
    /// The services by name; ended first.
    pub services: BTreeMap<&'static str, ServiceProcess>,
    /// Its streams.
    pub bus: TestBus,
    /// Its rows.
    pub database: TestDatabase,
    folder: TempDir,
    // After the bus, which talks to its broker to the end.
    identities: Option<Identities>,
}

impl Stack {
    /// Starts the five services.
    pub async fn start(options: StackOptions) -> Self {
        let database = TestDatabase::create().await;
        let identities = if options.identities { Some(Identities::start().await) } else { None };
        let bus = match &identities {
            Some(identities) => identities.bus().await,
            None => TestBus::connect().await,
        };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let token = format!("cc_{}{}", Uuid::new_v4().simple(), &Uuid::new_v4().simple().to_string()[..11]);
        let token_file = folder.path().join("admin-token");
        std::fs::write(&token_file, &token).expect("the token can be written");
        let mut variables = vec![
            ("CAFFEINE_NATS_URL", bus.url().to_owned()),
            ("CAFFEINE_NATS_PREFIX", bus.prefix().to_owned()),
            ("CAFFEINE_NATS_TIMINGS", "test".to_owned()),
            ("CAFFEINE_DATABASE_URL", database.url().to_owned()),
            ("CAFFEINE_DATABASE_CONNECTIONS", "4".to_owned()),
            ("CAFFEINE_LOG", "info".to_owned()),
            ("CAFFEINE_HEALTH_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        if let Some(identities) = &identities {
            variables.extend(identities.variables(&database));
        }
        provision(&variables);
        if let Some(at) = &options.fault {
            variables.push(("CAFFEINE_FAULT", format!("{at}:{}", folder.path().join("struck").display())));
        }
        let services = SERVICES
            .into_iter()
            .map(|name| {
                let mut variables = variables.clone();
                match name {
                    "gateway" => variables.extend([
                        ("CAFFEINE_GATEWAY_LISTEN", format!("127.0.0.1:{port}")),
                        ("CAFFEINE_GATEWAY_ADMIN_TOKEN_FILE", token_file.display().to_string()),
                    ]),
                    "cloner" => variables.extend([
                        ("CAFFEINE_CLONER_DATA_DIR", folder.path().join("cloner").display().to_string()),
                        ("CAFFEINE_CLONER_ALLOW_HOSTS", hosts(&options.allow_hosts)),
                    ]),
                    _ => {}
                }
                let variables = variables
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .chain(options.variables.iter().filter(|(key, _)| concerns(name, key)).cloned())
                    .collect();
                (name, ServiceProcess::start(&format!("caffeine-{name}"), variables, folder.path()))
            })
            .collect();
        let api = Api::new(format!("http://127.0.0.1:{port}"), token);
        let stack = Self { api, services, bus, database, folder, identities };
        eventually(Duration::from_secs(60), || async { stack.api.is_up().await }).await;
        stack
    }

    /// Waits until a run has ended and returns its state's word.
    pub async fn ended(&self, run: Uuid, deadline: Duration) -> String {
        eventually_some(deadline, || async {
            let (state, _) = self.api.run(run).await;
            ["completed", "completed_with_errors", "failed", "cancelled", "superseded"]
                .contains(&state.as_str())
                .then_some(state)
        })
        .await
    }

    /// Whether the fault has struck.
    #[must_use]
    pub fn fault_struck(&self) -> bool {
        self.folder.path().join("struck").exists()
    }

    /// How many messages are stored in the work queues.
    ///
    /// # Panics
    /// If a stream has not been provisioned.
    pub async fn pending(&self) -> u64 {
        let mut messages = 0;
        for name in ["CLONE", "FILES", "LINK", "CHUNKS", "PLANS", "PAGES", "STATE"] {
            messages += self.stored(name).await;
        }
        messages
    }

    /// How many messages a stream stores.
    ///
    /// # Panics
    /// If it has not been provisioned.
    pub async fn stored(&self, stream: &str) -> u64 {
        let stream = self.bus.jetstream().get_stream(format!("{}_{stream}", self.bus.prefix())).await;
        stream.expect("provisioned").cached_info().state.messages
    }

    /// The mirrors on the cloner's disk.
    #[must_use]
    pub fn mirrors(&self) -> usize {
        let mirrors = std::fs::read_dir(self.folder.path().join("cloner/mirrors"));
        mirrors.map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_dir()).count())
    }

    /// The broker's address without credentials.
    ///
    /// # Panics
    /// Without [`StackOptions::identities`].
    #[must_use]
    pub fn broker(&self) -> String {
        self.identities.as_ref().expect("the stack has identities").broker()
    }

    /// The folder with the services' keys and addresses.
    ///
    /// # Panics
    /// Without [`StackOptions::identities`].
    #[must_use]
    pub fn identities(&self) -> &Path {
        self.identities.as_ref().expect("the stack has identities").folder()
    }

    /// The services' logs.
    #[must_use]
    pub fn logs(&self) -> &Path {
        self.folder.path()
    }

    /// The canonical dump of a run.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub async fn dump(&self, run: Uuid) -> String {
        caffeine_testkit::canonical_dump(self.database.pool(), run).await.expect("the rows can be read")
    }
}

impl Drop for Stack {
    /// A failed test shows how the services ended.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for name in SERVICES {
            let log =
                std::fs::read_to_string(self.folder.path().join(format!("caffeine-{name}.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- {name}: the last lines of {}", lines.len());
            for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
                eprintln!("{line}");
            }
        }
    }
}

fn provision(variables: &[(&str, String)]) {
    let output = Command::new(program("caffeine"))
        .args(["provision", "--profile", "embedded"])
        .envs(variables.iter().map(|(key, value)| (*key, value)))
        .output()
        .expect("`make test` builds caffeine");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A TOML array of strings.
fn hosts(hosts: &[String]) -> String {
    format!("[{}]", hosts.iter().map(|host| format!("\"{host}\"")).collect::<Vec<_>>().join(","))
}

/// Whether a variable is a setting of the service, or of all.
fn concerns(service: &str, variable: &str) -> bool {
    let section = |name: &str| format!("CAFFEINE_{}_", name.replace('-', "_").to_uppercase());
    variable.starts_with(&section(service)) || !SERVICES.iter().any(|other| variable.starts_with(&section(other)))
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
