//! Five processes, a database and a prefix.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use caffeine_testkit::{TestBus, TestDatabase, eventually, eventually_some, free_port};
use tempfile::TempDir;
use uuid::Uuid;

use crate::api::Api;
use crate::identities::Identities;
use crate::process::{ServiceCommand, ServiceProcess, program};

/// The services, in the order of the pipeline.
pub const SERVICES: [&str; 5] = ["gateway", "cloner", "chunker", "embedder", "doc-writer"];

const PROVISION: &[&str] = &["provision", "--profile", "embedded"];

const TOKEN: &str = "admin-token";

/// How much of each log a failed test shows.
const LOG_LINES: usize = 40;

/// What a test wants differently.
#[derive(Debug, Clone, Default)]
pub struct StackOptions {
    /// Git servers on loopback that may be cloned from, as `host:port`.
    pub allow_hosts: Vec<String>,
    /// `<service>:<message>:<point>`: kills that service once, there.
    pub fault: Option<String>,
    /// More variables for every service.
    pub variables: Vec<(String, String)>,
    /// Second pods of every service.
    pub second_pods: bool,
    /// The addresses of a broker and a database server of its own, instead of those that `make test` started.
    pub servers: Option<(String, String)>,
    /// The addresses that the services get instead: of proxies before the servers. Only host and port differ.
    pub seen_at: Option<(String, String)>,
    /// More variables for the first pods of the workers.
    pub first_workers: Vec<(String, String)>,
    /// A housekeeper beside the services, which looks every second.
    pub housekeeper: bool,
    /// Programs of an earlier version: the database and the first pods begin with them, and there are no second pods
    /// until [`Stack::upgrade`].
    pub old_programs: Option<PathBuf>,
    /// A command in front of a service's program, by the service's name.
    pub in_front: BTreeMap<&'static str, Vec<String>>,
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
    /// The client of the second pod's gateway; of the first one's, if there is no second.
    pub second_api: Api,
    /// The services by name; ended first.
    pub services: BTreeMap<&'static str, ServiceProcess>,
    /// The second pods, if they were asked for.
    pub second_pods: BTreeMap<&'static str, ServiceProcess>,
    /// Its streams.
    pub bus: TestBus,
    /// Its rows.
    pub database: TestDatabase,
    /// Where the first gateway serves its health.
    health: String,
    /// What an operator's commands are told.
    operator: Vec<(&'static str, String)>,
    /// What every service is told.
    shared: Vec<(&'static str, String)>,
    options: StackOptions,
    folder: TempDir,
    // After the bus, which talks to its broker to the end.
    identities: Option<Identities>,
}

impl Stack {
    /// Starts the five services.
    pub async fn start(options: StackOptions) -> Self {
        let identities = if options.identities { Some(Identities::start().await) } else { None };
        let bus = match (&identities, &options.servers) {
            (Some(identities), _) => identities.bus().await,
            (None, Some((nats, _))) => TestBus::connect_to(nats.clone()).await,
            (None, None) => TestBus::connect().await,
        };
        let database = match (&options.servers, &options.old_programs) {
            (None, _) => TestDatabase::create().await,
            (Some((_, postgres)), None) => TestDatabase::create_on(postgres.clone()).await,
            (Some((_, postgres)), Some(_)) => TestDatabase::create_empty_on(postgres.clone()).await,
        };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port().expect("loopback has a free port");
        let token = format!("cc_{}{}", Uuid::new_v4().simple(), &Uuid::new_v4().simple().to_string()[..11]);
        std::fs::write(folder.path().join(TOKEN), &token).expect("the token can be written");
        let mut operator = variables(bus.url(), bus.prefix(), database.url());
        if let Some(identities) = &identities {
            operator.extend(identities.variables(&database));
        }
        let mut shared = operator.clone();
        if let Some(old) = &options.old_programs {
            operate(&old.join("caffeine"), &["migrate"], &operator);
        }
        let caffeine = options.old_programs.as_ref().map_or_else(|| program("caffeine"), |old| old.join("caffeine"));
        operate(&caffeine, PROVISION, &operator);
        if let Some((nats, postgres)) = &options.seen_at {
            shared.push(("CAFFEINE_NATS_URL", at(bus.url(), nats)));
            shared.push(("CAFFEINE_DATABASE_URL", at(database.url(), postgres)));
        }
        if let Some(at) = &options.fault {
            shared.push(("CAFFEINE_FAULT", format!("{at}:{}", folder.path().join("struck").display())));
        }
        let health = format!("127.0.0.1:{}", free_port().expect("loopback has a free port"));
        let api = Api::new(format!("http://127.0.0.1:{port}"), token);
        let (services, second_pods) = (BTreeMap::new(), BTreeMap::new());
        let mut stack = Self {
            second_api: api.clone(),
            api,
            services,
            second_pods,
            bus,
            database,
            health,
            operator,
            shared,
            options,
            folder,
            identities,
        };
        for name in SERVICES {
            let command = stack.command(name, port, stack.options.old_programs.as_deref());
            stack.services.insert(name, ServiceProcess::supervise(command));
        }
        if stack.options.housekeeper {
            stack.services.insert("housekeeper", ServiceProcess::supervise(stack.housekeeper()));
        }
        if stack.options.second_pods && stack.options.old_programs.is_none() {
            stack.start_second_pods();
        }
        eventually(Duration::from_secs(60), || async { stack.api.is_up().await }).await;
        stack
    }

    /// Brings schema and streams to the present version and starts second pods of it, beside the old ones.
    pub async fn upgrade(&mut self) {
        operate(&program("caffeine"), &["migrate"], &self.operator);
        self.provision();
        self.start_second_pods();
        eventually(Duration::from_secs(60), || async { self.second_api.is_up().await }).await;
    }

    fn start_second_pods(&mut self) {
        let port = free_port().expect("loopback has a free port");
        for name in SERVICES {
            let command = self.pod(name, "-2", port, None);
            self.second_pods.insert(name, ServiceProcess::supervise(command));
        }
        self.second_api = Api::new(format!("http://127.0.0.1:{port}"), self.api.token().to_owned());
    }

    /// Creates and updates the streams, as after a change of the broker.
    ///
    /// # Panics
    /// If the provisioner fails.
    pub fn provision(&self) {
        operate(&program("caffeine"), PROVISION, &self.operator);
    }

    /// The environment of an operator's commands, such as `caffeine dlq`: where broker and database are, and who asks.
    #[must_use]
    pub fn operator_variables(&self) -> &[(&'static str, String)] {
        &self.operator
    }

    /// How the first pod of a service is started.
    fn command(&self, name: &'static str, listen: u16, programs: Option<&Path>) -> ServiceCommand {
        let mut command = self.pod(name, "", listen, programs);
        match name {
            "gateway" => command.variables.push(("CAFFEINE_HEALTH_LISTEN".to_owned(), self.health.clone())),
            _ => command.variables.extend(self.options.first_workers.iter().cloned()),
        }
        command
    }

    /// A role of the program that has all of them.
    fn housekeeper(&self) -> ServiceCommand {
        let mut command = self.pod("housekeeper", "", 0, None);
        command.line = ["serve", "housekeeper"].map(str::to_owned).to_vec();
        command.line.insert(0, program("caffeine").display().to_string());
        for (key, seconds) in [("REAPER", "1"), ("REAPER_AGE", "0"), ("SWEEP", "1"), ("SWEEP_AGE", "5")] {
            command.variables.push((format!("CAFFEINE_HOUSEKEEPER_{key}_SECONDS"), seconds.to_owned()));
        }
        command
    }

    fn pod(&self, name: &'static str, suffix: &str, listen: u16, programs: Option<&Path>) -> ServiceCommand {
        let folder = self.folder.path();
        let mut variables = self.shared.clone();
        variables.push(("CAFFEINE_HEALTH_LISTEN", "127.0.0.1:0".to_owned()));
        match name {
            "gateway" => variables.extend([
                ("CAFFEINE_GATEWAY_LISTEN", format!("127.0.0.1:{listen}")),
                ("CAFFEINE_GATEWAY_ADMIN_TOKEN_FILE", folder.join(TOKEN).display().to_string()),
            ]),
            "cloner" => variables.extend([
                ("CAFFEINE_CLONER_DATA_DIR", folder.join(format!("cloner{suffix}")).display().to_string()),
                ("CAFFEINE_CLONER_ALLOW_HOSTS", hosts(&self.options.allow_hosts)),
            ]),
            _ => {}
        }
        // Tests ask without a pause until something has happened. Older programs know no limits.
        if name == "gateway" && programs.is_none() {
            let limits =
                ["CAFFEINE_GATEWAY_RATE_READ", "CAFFEINE_GATEWAY_RATE_WRITE", "CAFFEINE_GATEWAY_EVENT_STREAMS"];
            variables.extend(limits.map(|limit| (limit, "0".to_owned())));
        }
        let binary = format!("caffeine-{name}");
        let binary = programs.map_or_else(|| program(&binary), |folder| folder.join(&binary));
        let mut line = self.options.in_front.get(name).cloned().unwrap_or_default();
        line.push(binary.display().to_string());
        let more = self.options.variables.iter().filter(|(key, _)| concerns(name, key)).cloned();
        ServiceCommand {
            line,
            variables: variables.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(more).collect(),
            log: folder.join(format!("caffeine-{name}{suffix}.log")),
        }
    }

    /// Whether the first gateway says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let asked = reqwest::get(format!("http://{}/readyz", self.health)).await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Every process with its service's name.
    pub fn pods(&self) -> impl Iterator<Item = (&'static str, &ServiceProcess)> {
        self.services.iter().chain(&self.second_pods).map(|(name, process)| (*name, process))
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

    /// Copies the services' logs to where they outlive this value, and says where.
    ///
    /// # Panics
    /// If they cannot be copied.
    #[must_use]
    pub fn keep_logs(&self, name: &str) -> PathBuf {
        let kept = std::env::temp_dir().join("caffeine-chaos").join(name);
        std::fs::create_dir_all(&kept).expect("a folder for logs can be made");
        for entry in std::fs::read_dir(self.folder.path()).expect("the folder can be listed").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                std::fs::copy(entry.path(), kept.join(entry.file_name())).expect("a log can be copied");
            }
        }
        kept
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
        let mut logs: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        logs.sort();
        for path in logs {
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- {}: the last lines of {}", path.display(), lines.len());
            for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
                eprintln!("{line}");
            }
        }
    }
}

/// What all services are told.
fn variables(nats: &str, prefix: &str, database: &str) -> Vec<(&'static str, String)> {
    vec![
        ("CAFFEINE_NATS_URL", nats.to_owned()),
        ("CAFFEINE_NATS_PREFIX", prefix.to_owned()),
        ("CAFFEINE_NATS_TIMINGS", "test".to_owned()),
        ("CAFFEINE_DATABASE_URL", database.to_owned()),
        ("CAFFEINE_DATABASE_CONNECTIONS", "4".to_owned()),
        ("CAFFEINE_LOG", "info".to_owned()),
    ]
}

/// The same address with another host and port.
fn at(url: &str, address: &str) -> String {
    let from = url.find('@').map_or(0, |at| at + 1);
    let to = url[from..].find('/').map_or(url.len(), |slash| from + slash);
    format!("{}{address}{}", &url[..from], &url[to..])
}

/// Runs an operator's command to its end.
fn operate(caffeine: &Path, arguments: &[&str], variables: &[(&str, String)]) {
    let output = Command::new(caffeine)
        .args(arguments)
        .envs(variables.iter().map(|(key, value)| (*key, value)))
        .output()
        .unwrap_or_else(|error| panic!("{} runs: {error}; `make test` builds it", caffeine.display()));
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
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
