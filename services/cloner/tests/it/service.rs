//! The service on a real broker: a request goes in, and the messages that come out are read from the streams.

use std::time::Duration;

use caffeine_bus::{Bus, BusConfig, Outgoing, StorageProfile, provision};
use caffeine_cloner::{ClonerConfig, ClonerService, Fetcher, Vault};
use caffeine_contract::v1::run_transition::Transition;
use caffeine_contract::{Message, Scope, Stream, Subjects, headers, id_bytes, v1};
use caffeine_kit::{Clients, Service as _};
use caffeine_model::{Generation, Lane, RunId};
use caffeine_testkit::git::{Entry, GitFixture};
use caffeine_testkit::{TestBus, eventually};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Records, answer, web_server};

const SOON: Duration = Duration::from_secs(30);

/// A running cloner between a broker and a database of its own.
struct Bench {
    records: Records,
    broker: TestBus,
    bus: Bus,
    folder: TempDir,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Bench {
    async fn new(allow_host: String) -> Self {
        let records = Records::new().await;
        let broker = TestBus::connect().await;
        let config = BusConfig {
            url: broker.url().to_owned(),
            prefix: broker.prefix().to_owned(),
            name: "test".to_owned(),
            nkey: None,
        };
        let bus = Bus::connect(&config).await.unwrap();
        provision(&bus, StorageProfile::Embedded).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = ClonerConfig {
            data_dir: folder.path().to_owned(),
            allow_hosts: vec![allow_host],
            ..ClonerConfig::default()
        };
        let clients = Clients { bus: bus.clone(), store: records.store.clone() };
        let cloner = {
            let vault = Vault::new(records.store.clone(), None).unwrap();
            ClonerService::from_parts(clients, Fetcher::new(config).unwrap(), vault)
        };
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(cloner.run(shutdown.clone()));
        Self { records, broker, bus, folder, shutdown, running }
    }

    fn scope(&self, run: RunId) -> Scope {
        Scope {
            workspace: self.records.workspace,
            repository: self.records.repository,
            run,
            generation: Generation(0),
            lane: Lane::Interactive,
            analyser: "a1".to_owned(),
            embedding_model: "m1".to_owned(),
        }
    }

    /// Asks for a clone and waits until the request is done with.
    async fn clone(&self, scope: &Scope, url: &str) {
        let request = v1::CloneRequested {
            scope: None,
            url: url.to_owned(),
            r#ref: String::new(),
            credential_id: bytes::Bytes::new(),
        };
        self.bus.try_publish(&Outgoing::new(scope, request)).await.unwrap();
        eventually(SOON, || async { self.stored(Stream::Clone).await.is_empty() }).await;
    }

    /// Clones in a new run and returns what came out of it.
    async fn run(&self, url: &str) -> Output {
        let scope = self.scope(self.records.run().await);
        self.clone(&scope, url).await;
        self.output(&scope).await
    }

    /// The messages of a run in one generation.
    async fn output(&self, scope: &Scope) -> Output {
        let batches: Vec<v1::FilesBatch> = self.messages(Stream::Files, scope).await;
        Output {
            run: scope.run,
            batches: batches.iter().map(files).collect(),
            files_listed: self.messages(Stream::Files, scope).await,
            chunks_listed: self.messages(Stream::Chunks, scope).await,
            transitions: self
                .messages::<v1::RunTransition>(Stream::State, scope)
                .await
                .into_iter()
                .filter_map(|message| message.transition)
                .collect(),
        }
    }

    async fn messages<M: Message>(&self, stream: Stream, scope: &Scope) -> Vec<M> {
        let kind = M::KIND.spec().name;
        let stored = self.stored(stream).await.into_iter().filter(|(found, _)| found == kind);
        let decoded = stored.map(|(_, body)| M::decode(body).unwrap());
        decoded.filter(|message| Scope::from_wire(message.scope().unwrap()).unwrap() == *scope).collect()
    }

    /// Kind and body of everything in a stream.
    async fn stored(&self, stream: Stream) -> Vec<(String, bytes::Bytes)> {
        let name = Subjects::new(self.broker.prefix()).stream(stream);
        let mut stream = self.broker.jetstream().get_stream(name).await.unwrap();
        let state = stream.info().await.unwrap().state.clone();
        let mut stored = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            // Gaps are messages that were acknowledged.
            if let Ok(message) = stream.get_raw_message(sequence).await {
                let kind = message.headers.get(headers::KIND).map(|kind| kind.as_str().to_owned()).unwrap_or_default();
                stored.push((kind, message.payload));
            }
        }
        stored
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// What a run led to.
#[derive(Debug, Clone, PartialEq)]
struct Output {
    run: RunId,
    /// Path and content of the files of each batch.
    batches: Vec<Vec<(String, Vec<u8>)>>,
    files_listed: Vec<v1::FilesListed>,
    chunks_listed: Vec<v1::ChunksListed>,
    transitions: Vec<Transition>,
}

impl Output {
    fn planned(&self) -> &v1::Planned {
        let planned = self.transitions.iter().find_map(|transition| match transition {
            Transition::Planned(planned) => Some(planned),
            _ => None,
        });
        planned.expect("the run was planned")
    }

    /// Checks what every run that succeeds ends with.
    fn check_complete(&self) {
        let names: Vec<_> = self.transitions.iter().map(caffeine_contract::transition_key).collect();
        assert_eq!(names, ["clone_started", "planned", "cloned"]);
        let batches = u32::try_from(self.batches.len()).unwrap();
        assert_eq!(self.planned().batches, batches);
        assert_eq!(self.files_listed.iter().map(|listed| listed.batches).collect::<Vec<_>>(), [batches]);
        assert_eq!(self.chunks_listed.iter().map(|listed| listed.batches).collect::<Vec<_>>(), [batches]);
        assert!(self.files_listed[0].failure.is_none() && self.chunks_listed[0].failure.is_none());
    }
}

fn files(batch: &v1::FilesBatch) -> Vec<(String, Vec<u8>)> {
    let raw = zstd::bulk::decompress(&batch.files, batch.raw_bytes as usize).unwrap();
    let set = <v1::FileSet as prost::Message>::decode(raw.as_slice()).unwrap();
    set.files.into_iter().map(|file| (file.path, file.content.to_vec())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changes_travel() {
    let mut git = GitFixture::with_files([("a", vec![b'1'; 500_000]), ("b", vec![b'2'; 500_000]), ("c", Vec::new())]);
    git.commit("Link", [("d", Entry::Symlink(b"a".to_vec()))]);
    let served = git.serve().await;
    let bench = Bench::new(served.host()).await;

    let first = bench.run(&served.url()).await;
    first.check_complete();
    let paths: Vec<Vec<&str>> =
        first.batches.iter().map(|batch| batch.iter().map(|(path, _)| path.as_str()).collect()).collect();
    assert_eq!(paths, [vec!["a"], vec!["b", "c"]]);
    assert_eq!(first.batches[1][0].1, vec![b'2'; 500_000]);
    let planned = first.planned();
    assert_eq!(hex(&planned.commit), git.head().unwrap());
    assert_eq!(planned.r#ref, "refs/heads/main");
    assert_eq!((planned.files, planned.known, planned.skipped, planned.sent, planned.bytes), (4, 0, 1, 3, 1_000_000));

    bench.records.analyse_and_embed(first.run).await;
    let same = bench.run(&served.url()).await;
    same.check_complete();
    assert!(same.batches.is_empty(), "the same commit sends nothing");
    assert_eq!(same.planned().known, 3);

    git.commit("Change", [("c", Entry::file("3"))]);
    let changed = bench.run(&served.url()).await;
    changed.check_complete();
    assert_eq!(changed.batches, [[("c".to_owned(), b"3".to_vec())]], "one file, one batch");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delivered_twice_the_plan_is_replayed() {
    let mut git = GitFixture::with_files([("a", "1"), ("b", "2")]);
    let served = git.serve().await;
    let bench = Bench::new(served.host()).await;
    let scope = bench.scope(bench.records.run().await);
    bench.clone(&scope, &served.url()).await;
    let first = bench.output(&scope).await;
    let rows = bench.records.dump(scope.run).await;

    // Everything has changed since: the branch, the disk, and what is known.
    git.commit("Change", [("a", Entry::file("3"))]);
    std::fs::remove_dir_all(bench.folder.path().join("mirrors")).unwrap();
    bench.records.analyse_and_embed(scope.run).await;

    let again = Scope { generation: Generation(1), ..scope };
    bench.clone(&again, &served.url()).await;
    let mut second = bench.output(&again).await;
    second.check_complete();
    for listed in &mut second.files_listed {
        listed.scope.clone_from(&first.files_listed[0].scope);
    }
    for listed in &mut second.chunks_listed {
        listed.scope.clone_from(&first.chunks_listed[0].scope);
    }
    assert_eq!(second, first);
    assert_eq!(bench.records.dump(again.run).await, rows);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_is_a_run_without_files() {
    let git = GitFixture::empty();
    let served = git.serve().await;
    let bench = Bench::new(served.host()).await;
    let output = bench.run(&served.url()).await;
    output.check_complete();
    assert_eq!(output.planned().commit.as_ref(), [0; 20]);
    assert_eq!(output.planned().files, 0);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_met_ends_the_run() {
    let host = web_server(answer("404 Not Found", "", "")).await;
    let bench = Bench::new(host.clone()).await;
    let output = bench.run(&format!("http://{host}/x.git")).await;

    let expected = |failure: &Option<v1::Failure>| {
        let failure = failure.as_ref().unwrap();
        assert_eq!(failure.code, "not_found");
        assert!(failure.reason.contains("check the address"), "{}", failure.reason);
    };
    assert!(output.batches.is_empty());
    assert_eq!((output.files_listed.len(), output.chunks_listed.len()), (1, 1));
    expected(&output.files_listed[0].failure);
    expected(&output.chunks_listed[0].failure);
    match output.transitions.as_slice() {
        [Transition::CloneStarted(_), Transition::Failed(failed)] => {
            assert_eq!(failed.stage, "clone");
            expected(&failed.failure);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.stored(Stream::Dead).await.len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_gone_is_dropped() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let bench = Bench::new(served.host()).await;
    let scope = bench.scope(RunId::generate());
    bench.clone(&scope, &served.url()).await;
    assert!(bench.output(&scope).await.batches.is_empty());
    assert!(bench.stored(Stream::Dead).await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let bench = Bench::new(served.host()).await;
    let mut events = bench.bus.events().await.unwrap();
    let scope = bench.scope(RunId::generate());
    for (url, expected) in [(served.url(), "refs/heads/main"), ("file:///etc".to_owned(), "")] {
        let probe_id = id_bytes(RunId::generate().as_uuid());
        let probe = v1::CloneProbe { scope: None, probe_id: probe_id.clone(), url, credential_id: bytes::Bytes::new() };
        bench.bus.try_publish(&Outgoing::new(&scope, probe)).await.unwrap();
        let answered = tokio::time::timeout(SOON, async {
            loop {
                if let Some(v1::event::Event::ProbeAnswered(answered)) = events.next().await.event.event {
                    return answered;
                }
            }
        });
        let answered = answered.await.unwrap();
        assert_eq!((answered.probe_id, answered.default_ref.as_str()), (probe_id, expected));
        let code = answered.failure.map(|failure| failure.code);
        assert_eq!(code.as_deref(), expected.is_empty().then_some("address_refused"));
    }
    assert!(bench.stored(Stream::Dead).await.is_empty());
    bench.stop().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
