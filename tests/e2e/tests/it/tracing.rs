//! Spans of all services in one trace, as somebody else's receiver of OTLP gets them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caffeine_e2e::{ServiceCommand, ServiceProcess, Stack, StackOptions};
use caffeine_testkit::free_port;

use crate::fixture;

/// How long spans may be on their way: they are sent in batches.
const PATIENCE: Duration = Duration::from_secs(30);

/// `rotel` (from PyPI), which writes down every span that it gets.
struct Receiver {
    endpoint: String,
    log: PathBuf,
    _process: ServiceProcess,
}

impl Receiver {
    fn start(folder: &Path) -> Self {
        let [grpc, http] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{}", port.unwrap()));
        let log = folder.join("receiver.log");
        let options = ["--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"];
        let mut line = vec![agent().display().to_string(), "start".to_owned()];
        line.extend(["--otlp-grpc-endpoint", &grpc, "--otlp-http-endpoint", &http].map(str::to_owned));
        line.extend(options.map(str::to_owned));
        let process = ServiceProcess::supervise(ServiceCommand { line, variables: Vec::new(), log: log.clone() });
        Self { endpoint: format!("http://{grpc}"), log, _process: process }
    }

    /// The spans so far: trace → (service, span's name).
    fn traces(&self) -> BTreeMap<String, BTreeSet<(String, String)>> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut traces: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let (mut service, mut trace) = (String::new(), String::new());
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("-> service.name: Str(") {
                service = name.trim_end_matches(')').to_owned();
            } else if let Some((_, id)) = line.split_once(": ").filter(|(label, _)| label.trim() == "Trace ID") {
                trace = id.to_owned();
            } else if let Some((_, name)) = line.split_once(": ").filter(|(label, _)| label.trim() == "Name") {
                traces.entry(trace.clone()).or_default().insert((service.clone(), name.to_owned()));
            }
        }
        traces
    }
}

/// The program inside the environment that `make test` makes.
fn agent() -> PathBuf {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/fakes/lib");
    let versions = std::fs::read_dir(&library).unwrap_or_else(|error| {
        panic!("{}: {error}; `make test` brings the receiver", library.display());
    });
    let agents = versions.flatten().map(|python| python.path().join("site-packages/rotel/rotel-agent"));
    agents.filter(|agent| agent.exists()).last().expect("`make test` brings the receiver")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_from_the_request_to_the_published_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let receiver = Receiver::start(folder.path());
    let repository = fixture::repository();
    let served = repository.serve().await;
    let stack = Stack::start(StackOptions {
        variables: vec![("CAFFEINE_OTLP_ENDPOINT".to_owned(), receiver.endpoint.clone())],
        ..StackOptions::with_host(served.host())
    })
    .await;
    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");

    let expected: BTreeSet<_> = [
        ("caffeine-gateway", "POST /api/v1/repositories"),
        ("caffeine-gateway", "send clone.requested"),
        ("caffeine-cloner", "process clone.requested"),
        ("caffeine-chunker", "process files.listed"),
        ("caffeine-chunker", "process link.requested"),
        ("caffeine-embedder", "process chunks.listed"),
        ("caffeine-doc-writer", "process document.requested"),
        ("caffeine-doc-writer", "process document.ready"),
        ("caffeine-doc-writer", "process page.requested"),
        ("caffeine-gateway", "process state"),
    ]
    .map(|(service, name)| (service.to_owned(), name.to_owned()))
    .into();
    let request = ("caffeine-gateway".to_owned(), "POST /api/v1/repositories".to_owned());
    // Spans arrive in batches, every five seconds.
    let asked = Instant::now();
    let (trace, spans) = loop {
        let found = receiver.traces().into_iter().find(|(_, spans)| spans.contains(&request)).unwrap_or_default();
        if expected.is_subset(&found.1) {
            break found;
        }
        let missing: Vec<_> = expected.difference(&found.1).collect();
        assert!(asked.elapsed() < PATIENCE, "missing {missing:?} in {:#?}", receiver.traces());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    // A batch of a large repository would drown it: it links to the run's trace and begins one of its own.
    assert!(!spans.iter().any(|(_, name)| name == "process files.batch"), "{spans:?}");

    // From a line of a log to its trace, across services.
    for (service, message) in [("gateway", "run asked for"), ("cloner", "repository fetched and listed")] {
        let logs = stack.pods().filter(|(name, _)| *name == service).map(|(_, process)| process.log().to_owned());
        let text: String = logs.map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect();
        let line = text.lines().find(|line| line.contains(message)).unwrap_or_else(|| panic!("{service}: {text}"));
        let line: serde_json::Value = serde_json::from_str(line).expect("a log has a JSON object per line");
        assert_eq!(line["span"]["trace_id"], trace, "{service}: {line}");
    }
}
