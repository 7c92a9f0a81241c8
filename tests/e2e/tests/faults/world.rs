//! A whole system that is disturbed seed after seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caffeine_e2e::{Stack, StackOptions, program};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::faults::model::FakeModel;
use crate::faults::proxy::Proxy;
use crate::faults::servers::Servers;
use crate::faults::site::Site;
use crate::faults::watch::Watch;

/// How long a disturbed run may take. An undisturbed one takes a few seconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// What the services may finish in when they are asked to stop.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Rows of the three repositories after an undisturbed run.
static UNDISTURBED: OnceCell<BTreeMap<&'static str, String>> = OnceCell::const_new();

/// The repository that also gets a document by a model: one page, one call.
pub(crate) const WITH_MODEL: &str = "small-a";

/// What a row wants differently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Proxies before both servers.
    pub(crate) proxied: bool,
    /// More variables for every service.
    pub(crate) variables: Vec<(String, String)>,
    /// The chunkers may take this many KiB of addresses.
    pub(crate) chunker_limit_kib: Option<u64>,
    /// The clock of the first pod of each worker is what this file says.
    pub(crate) clock: Option<PathBuf>,
}

/// A run that a seed asked for.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) id: Uuid,
}

/// Servers, services with two pods each, repositories, a listener.
pub(crate) struct World {
    pub(crate) watch: Watch,
    pub(crate) stack: Stack,
    pub(crate) proxies: Option<(Proxy, Proxy)>,
    pub(crate) servers: Servers,
    pub(crate) site: Site,
    pub(crate) model: FakeModel,
    /// The template whose document a model writes for one of the repositories.
    template: String,
    pub(crate) setup: Setup,
    /// Dead letters that earlier seeds caused on purpose.
    pub(crate) dead: u64,
    faults: TempDir,
    armed: u32,
}

impl World {
    pub(crate) async fn start(setup: &Setup) -> Self {
        let servers = Servers::start().await;
        let site = Site::start().await;
        let faults = tempfile::tempdir().expect("a temporary folder can be made");
        let proxies = if setup.proxied {
            Some((Proxy::start(servers.nats.address()).await, Proxy::start(servers.postgres.address()).await))
        } else {
            None
        };
        let fault = format!("@{}", faults.path().join("armed").display());
        let answer = "# Joining\n\nThe function `join` returns its argument twice [[S1]].\n";
        let model = FakeModel::start(faults.path(), answer).await;
        let key = faults.path().join("key");
        std::fs::write(&key, "not-a-real-key").expect("the key can be written");
        let mut variables = vec![
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_BASE_URL".to_owned(), model.url().to_owned()),
            ("CAFFEINE_DOC_WRITER_ANTHROPIC_API_KEY_FILE".to_owned(), key.display().to_string()),
            ("CAFFEINE_FAULT".to_owned(), fault),
            ("CAFFEINE_SHUTDOWN_GRACE_SECONDS".to_owned(), GRACE.as_secs().to_string()),
        ];
        variables.extend(setup.variables.iter().cloned());
        let mut in_front = BTreeMap::new();
        if let Some(kib) = setup.chunker_limit_kib {
            let limited = format!("ulimit -v {kib}; exec \"$0\"");
            in_front.insert("chunker", vec!["sh".to_owned(), "-c".to_owned(), limited]);
        }
        let mut first_workers = Vec::new();
        if let Some(clock) = &setup.clock {
            let library = clock_library().expect("this row needs libfaketime: `apt-get install faketime` brings it");
            for (key, value) in [
                ("LD_PRELOAD", library),
                ("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()),
                ("FAKETIME_NO_CACHE", "1"),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ] {
                first_workers.push((key.to_owned(), value.to_owned()));
            }
        }
        let stack = Stack::start(StackOptions {
            first_workers,
            servers: Some((servers.nats.url(), servers.postgres.url())),
            seen_at: proxies.as_ref().map(|(nats, postgres)| (nats.address(), postgres.address())),
            variables,
            second_pods: true,
            housekeeper: true,
            in_front,
            ..StackOptions::with_host(site.host())
        })
        .await;
        let watch = Watch::start(&stack.bus).await;
        let (_, templates) = stack.api.get("/prompts").await;
        let template = templates["items"][0]["id"].as_str().expect("one template is built in").to_owned();
        let setup = setup.clone();
        let mut world =
            Self { watch, stack, proxies, servers, site, model, template, setup, dead: 0, faults, armed: 0 };
        let known = UNDISTURBED.get().is_some();
        let runs = world.submit().await;
        assert!(world.all_final(&runs, DEADLINE).await, "undisturbed runs end");
        let rows = world.dumps(&runs).await;
        assert!(rows.values().all(|rows| rows.contains("\"state\" : \"completed\"")), "undisturbed runs complete");
        if known {
            assert!(UNDISTURBED.get() == Some(&rows), "two undisturbed systems come to the same rows");
        } else {
            // Another world may have been faster; then they are equal, or the next line of the oracle says so.
            let _ = UNDISTURBED.set(rows);
        }
        world
    }

    /// The rows that an undisturbed run of this repository leads to.
    pub(crate) fn undisturbed(name: &str) -> &'static str {
        &UNDISTURBED.get().expect("the first world has filled it")[name]
    }

    /// Asks for all three repositories at addresses that nobody has seen; keeps asking while the gateway is away.
    pub(crate) async fn submit(&mut self) -> Vec<Run> {
        self.watch.forget();
        self.model.forget().await;
        self.submit_more().await
    }

    /// The same three once more, in the same seed.
    pub(crate) async fn submit_more(&mut self) -> Vec<Run> {
        let mut runs = Vec::new();
        for (name, url) in self.site.fresh() {
            runs.push(self.submit_one(name, &url).await);
        }
        runs
    }

    /// Asks for one repository.
    pub(crate) async fn submit_one(&self, name: &'static str, url: &str) -> Run {
        let mut documents = vec![json!({ "writer": "structural" })];
        if name == WITH_MODEL {
            let template =
                json!({ "writer": "template", "template_id": self.template, "style": "terse", "query": "join" });
            documents.push(template);
        }
        let body = json!({ "url": url, "documents": documents });
        let asked = Instant::now();
        // An answer can be lost with its gateway, and to ask again without a key would be another run.
        let key = Uuid::new_v4();
        loop {
            let (status, answer) = self.stack.api.post_once("/repositories", &body, key).await;
            let id = answer.pointer("/run/id").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
            match id {
                Some(id) if status == 200 || status == 201 => return Run { name, id },
                _ => assert!(asked.elapsed() < DEADLINE, "the gateway takes {url}: {status} {answer}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Prepares a fault at a point of the services; it strikes the first that comes there. Returns the marker that
    /// will hold the process id.
    pub(crate) fn arm(&mut self, fault: &str) -> PathBuf {
        self.armed += 1;
        let marker = self.faults.path().join(format!("struck-{}", self.armed));
        let file = self.faults.path().join("armed");
        let mut lines = std::fs::read_to_string(&file).unwrap_or_default();
        lines.push_str(&format!("{fault}:{}\n", marker.display()));
        // Readers must never see half a line.
        let fresh = self.faults.path().join("armed.new");
        std::fs::write(&fresh, lines).and_then(|()| std::fs::rename(&fresh, &file)).expect("faults can be written");
        marker
    }

    /// No fault strikes any more.
    pub(crate) fn disarm(&self) {
        let _ = std::fs::remove_file(self.faults.path().join("armed"));
    }

    /// The process that was struck, once it was.
    pub(crate) fn struck(marker: &Path) -> Option<u32> {
        std::fs::read_to_string(marker).ok()?.lines().next()?.parse().ok()
    }

    /// Waits until a fault has struck; `false` if the runs ended before.
    pub(crate) async fn wait_struck(&self, marker: &Path, runs: &[Run]) -> bool {
        let asked = Instant::now();
        while Self::struck(marker).is_none() {
            if asked.elapsed() > DEADLINE || self.are_final(runs).await == Some(true) {
                return Self::struck(marker).is_some();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// The states of runs; `None` while the database does not answer.
    pub(crate) async fn states(&self, runs: &[Run]) -> Option<BTreeMap<Uuid, String>> {
        let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
        let asked = sqlx::query_as::<_, (Uuid, String)>("SELECT run_id, state FROM runs WHERE run_id = ANY($1)")
            .bind(ids)
            .fetch_all(self.stack.database.pool());
        let rows = tokio::time::timeout(Duration::from_secs(2), asked).await.ok()?.ok()?;
        Some(rows.into_iter().collect())
    }

    async fn are_final(&self, runs: &[Run]) -> Option<bool> {
        let states = self.states(runs).await?;
        Some(runs.iter().all(|run| states.get(&run.id).is_some_and(|state| is_final(state))))
    }

    /// Whether all runs end in time.
    pub(crate) async fn all_final(&self, runs: &[Run], deadline: Duration) -> bool {
        until(deadline, async || self.are_final(runs).await == Some(true)).await
    }

    /// The rows of runs by the repository's name.
    pub(crate) async fn dumps(&self, runs: &[Run]) -> BTreeMap<&'static str, String> {
        let mut dumps = BTreeMap::new();
        for run in runs {
            dumps.insert(run.name, self.dump(run).await);
        }
        dumps
    }

    /// The rows of a run, but for the calls of the model: they are counted where they arrive.
    pub(crate) async fn dump(&self, run: &Run) -> String {
        let dump = self.stack.dump(run.id).await;
        let (rows, calls) = dump.split_once("== llm_calls\n").expect("the dump has the section");
        without_ids(&format!("{rows}{}", calls.find("== ").map_or("", |next| &calls[next..])))
    }

    /// How many undeliverable messages the housekeeper has found so far.
    pub(crate) fn ghosts(&self) -> u64 {
        let log = std::fs::read_to_string(self.stack.logs().join("caffeine-housekeeper.log")).unwrap_or_default();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines
            .filter(|line| line["message"] == "undeliverable messages were taken out")
            .filter_map(|line| line["found"].as_u64())
            .sum()
    }

    /// A question of the database with one number as its answer.
    pub(crate) async fn number(&self, question: &'static str, runs: &[Run]) -> i64 {
        let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
        sqlx::query_scalar(question)
            .bind(ids)
            .fetch_one(self.stack.database.pool())
            .await
            .unwrap_or_else(|error| panic!("{question}: {error}"))
    }
}

/// Where Debian's package `faketime` has the library that lies about the time.
fn clock_library() -> Option<&'static str> {
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

/// Whether a run in this state goes on no more.
pub(crate) fn is_final(state: &str) -> bool {
    ["completed", "completed_with_errors", "failed", "cancelled", "superseded"].contains(&state)
}

/// The same without identifiers: those of the built-in template differ from database to database.
fn without_ids(dump: &str) -> String {
    const LENGTH: usize = 36;
    let mut kept = String::with_capacity(dump.len());
    let mut rest = dump;
    while let Some(quote) = rest.find('"') {
        kept.push_str(&rest[..=quote]);
        rest = &rest[quote + 1..];
        let is_id = rest.get(..LENGTH).is_some_and(|text| text.parse::<Uuid>().is_ok());
        if is_id {
            rest = &rest[LENGTH..];
        }
    }
    kept.push_str(rest);
    kept
}

/// Polls a condition; whether it was met in time.
pub(crate) async fn until(deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition().await {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// Whether the programs of the system have been built.
pub(crate) fn require_programs() {
    let gateway = program("caffeine-gateway");
    assert!(gateway.exists(), "{} is not there: `make chaos` builds it", gateway.display());
}
