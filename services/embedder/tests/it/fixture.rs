//! A run in a database of its own, and the messages of its chunker.

use std::sync::{Arc, LazyLock};

use caffeine_analysis::ANALYSER_VERSION;
use caffeine_bus::{Failure, Outgoing, Rejection};
use caffeine_contract::{Kind, Message, Scope, id_bytes, v1};
use caffeine_embedder::{Delivery, EmbedderConfig, Handled, Indexer};
use caffeine_embedding::{Embedder, StaticTable};
use caffeine_model::{FileVersionId, Generation, Lane, Oid, RepoPath, RepositoryId, RunId, WorkId, WorkspaceId};
use caffeine_store::Store;
use caffeine_testkit::{TestDatabase, canonical_dump};
use tokio_util::sync::CancellationToken;

/// Path, and the texts of its chunks.
pub(crate) type Sample = (&'static str, &'static [&'static str]);

/// Three batches.
pub(crate) const BATCHES: [&[Sample]; 3] = [
    &[
        ("src/pool.rs", &["pub struct ConnectionPool;\n", "fn acquire() {}\n\nfn release() {}\n"]),
        ("src/größe.rs", &["/// Größe.\nfn size() -> u32 { 7 }\n"]),
        ("logo.png", &[]),
    ],
    // No word that any model knows.
    &[("odd.txt", &["§§§ ∮∮∮\n"]), ("empty.txt", &[])],
    &[("README.md", &["# Pool\n\nKeeps connections open.\n"])],
];

/// Loaded once for all tests of a process.
pub(crate) static TABLE: LazyLock<Arc<StaticTable>> = LazyLock::new(|| Arc::new(StaticTable::load().unwrap()));

/// A run, and an indexer that works on it.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) indexer: Indexer,
    pub(crate) scope: Scope,
    pub(crate) cancelled: CancellationToken,
}

impl Fixture {
    /// A run whose snapshot lists every file of `batches`.
    pub(crate) async fn new(batches: &[&[Sample]]) -> Self {
        let table = Arc::clone(&*TABLE);
        Self::with_model(batches, table).await
    }

    pub(crate) async fn with_model(batches: &[&[Sample]], embedder: Arc<dyn Embedder>) -> Self {
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url(), 8, "test").await.unwrap();
        let embedding_model = embedder.model().to_owned();
        let indexer = Indexer::new(store, &EmbedderConfig { chunks_per_call: 2 }, embedder);
        let (workspace, repository) = (WorkspaceId::generate(), RepositoryId::generate());
        sqlx::query("INSERT INTO workspaces (workspace_id, name) VALUES ($1, 'w')")
            .bind(workspace.as_uuid())
            .execute(database.pool())
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO repositories (repository_id, workspace_id, name, url) VALUES ($1, $2, 'r', 'http://r')",
        )
        .bind(repository.as_uuid())
        .bind(workspace.as_uuid())
        .execute(database.pool())
        .await
        .unwrap();
        let scope = Scope {
            workspace,
            repository,
            run: RunId::generate(),
            generation: Generation(0),
            lane: Lane::Bulk,
            analyser: ANALYSER_VERSION.to_owned(),
            embedding_model,
        };
        let fixture = Self { database, indexer, scope, cancelled: CancellationToken::new() };
        fixture.begin_run(batches).await;
        fixture
    }

    /// Another run of the same repository and files: what was pending ends.
    pub(crate) async fn next_run(&mut self, batches: &[&[Sample]]) {
        sqlx::query("UPDATE runs SET state = 'completed'").execute(self.database.pool()).await.unwrap();
        self.scope.run = RunId::generate();
        self.begin_run(batches).await;
    }

    async fn begin_run(&self, batches: &[&[Sample]]) {
        let pool = self.database.pool();
        let (workspace, repository, run) =
            (self.scope.workspace.as_uuid(), self.scope.repository.as_uuid(), self.scope.run.as_uuid());
        sqlx::query(
            "INSERT INTO runs (run_id, workspace_id, repository_id, ref, state, analyser, embedding_model) \
             VALUES ($1, $2, $3, 'main', 'pending', $4, $5)",
        )
        .bind(run)
        .bind(workspace)
        .bind(repository)
        .bind(&self.scope.analyser)
        .bind(&self.scope.embedding_model)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO snapshots (run_id, workspace_id, repository_id, ref, commit_oid, tree_oid, committed_at, \
                 truncated) VALUES ($1, $2, $3, 'main', $4, $4, '2026-01-02T03:04:05Z', false)",
        )
        .bind(run)
        .bind(workspace)
        .bind(repository)
        .bind([7_u8; 20].as_slice())
        .execute(pool)
        .await
        .unwrap();
        for (number, batch) in (0_i32..).zip(batches) {
            for sample in *batch {
                sqlx::query(
                    "INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, \
                         mode, size, batch) VALUES ($1, $2, $3, $4, $5, $6, 33188, 1, $7)",
                )
                .bind(run)
                .bind(workspace)
                .bind(repository)
                .bind(sample.0)
                .bind(sqlx::types::Uuid::from_slice(&self.file(sample).file_version_id).unwrap())
                .bind([1_u8; 20].as_slice())
                .bind(number)
                .execute(pool)
                .await
                .unwrap();
            }
        }
    }

    /// A file as the chunker sends it.
    pub(crate) fn file(&self, (path, chunks): &Sample) -> v1::ChunkedFile {
        let repo_path = RepoPath::parse(path.as_bytes()).unwrap();
        let id = FileVersionId::derive(self.scope.repository, &repo_path, Oid::from_bytes(&[1; 20]).unwrap());
        let mut text = String::new();
        let mut ranges = Vec::new();
        for chunk in *chunks {
            let start_byte = u32::try_from(text.len()).unwrap();
            let start_line = u32::try_from(text.lines().count()).unwrap() + 1;
            text.push_str(chunk);
            ranges.push(v1::ChunkRange {
                start_byte,
                end_byte: u32::try_from(text.len()).unwrap(),
                start_line,
                end_line: u32::try_from(text.lines().count()).unwrap(),
                kind: "code".to_owned(),
                scope: "impl Pool".to_owned(),
                symbol: "Pool".to_owned(),
                signature: String::new(),
            });
        }
        v1::ChunkedFile {
            file_version_id: id_bytes(id.as_uuid()),
            path: (*path).to_owned(),
            language: "rust".to_owned(),
            text,
            chunks: ranges,
        }
    }

    /// A batch of these files.
    pub(crate) fn batch(&self, number: u32, files: &[Sample]) -> v1::ChunksBatch {
        self.batch_of(number, files.iter().map(|sample| self.file(sample)).collect())
    }

    /// A batch of these files.
    pub(crate) fn batch_of(&self, number: u32, files: Vec<v1::ChunkedFile>) -> v1::ChunksBatch {
        let raw = prost::Message::encode_to_vec(&v1::ChunkSet { files });
        v1::ChunksBatch {
            scope: Some(self.scope.to_wire()),
            batch: number,
            chunks: zstd::bulk::compress(&raw, 1).unwrap().into(),
            raw_bytes: u32::try_from(raw.len()).unwrap(),
            failure: None,
        }
    }

    pub(crate) fn failed_batch(&self, number: u32) -> v1::ChunksBatch {
        let failure = Some(v1::Failure { code: "bad_batch".to_owned(), reason: "it is broken".to_owned() });
        v1::ChunksBatch { failure, chunks: Vec::new().into(), raw_bytes: 0, ..self.batch(number, &[]) }
    }

    pub(crate) fn listed(&self, batches: u32) -> v1::ChunksListed {
        v1::ChunksListed { scope: Some(self.scope.to_wire()), batches, failure: None }
    }

    /// Passes what the bus would pass.
    fn delivery<'a>(&'a self, kind: Kind, key: &'a str) -> Delivery<'a> {
        let work = WorkId::derive(self.scope.run, kind.spec().name, key);
        Delivery { scope: &self.scope, work, key, cancelled: &self.cancelled }
    }

    pub(crate) async fn deliver_batch(&self, message: &v1::ChunksBatch) -> Result<Handled, Failure> {
        let key = message.key();
        self.indexer.chunks_batch(self.delivery(Kind::ChunksBatch, &key), message).await
    }

    pub(crate) async fn deliver_listed(&self, message: &v1::ChunksListed) -> Result<Handled, Failure> {
        self.indexer.chunks_listed(self.delivery(Kind::ChunksListed, ""), message).await
    }

    pub(crate) async fn reject_batch(&self, key: &str, rejection: &Rejection) -> Result<Handled, Failure> {
        self.indexer.reject_chunks_batch(self.delivery(Kind::ChunksBatch, key), rejection).await
    }

    pub(crate) async fn reject_listed(&self, rejection: &Rejection) -> Result<Handled, Failure> {
        self.indexer.reject_index(self.delivery(Kind::ChunksListed, ""), rejection).await
    }

    /// Every row of the run, without generated ids and times.
    pub(crate) async fn dump(&self) -> String {
        canonical_dump(self.database.pool(), self.scope.run.as_uuid()).await.unwrap()
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(self.database.pool()).await.unwrap()
    }

    /// What the inbox says of the work.
    pub(crate) async fn outcome(&self, kind: Kind, key: &str) -> Option<(String, Option<String>)> {
        sqlx::query_as("SELECT outcome, detail FROM embed_inbox WHERE work_id = $1")
            .bind(WorkId::derive(self.scope.run, kind.spec().name, key).as_uuid())
            .fetch_optional(self.database.pool())
            .await
            .unwrap()
    }
}

pub(crate) fn rejection() -> Rejection {
    Rejection { code: "bad_batch".to_owned(), reason: "it is broken".to_owned() }
}

pub(crate) fn kinds(handled: &Handled) -> Vec<Kind> {
    handled.outputs.iter().map(|output| output.kind).collect()
}

/// The decoded output of a kind.
pub(crate) fn output<M: Message>(handled: &Handled) -> M {
    let output: &Outgoing =
        handled.outputs.iter().find(|output| output.kind == M::KIND).expect("an output of the kind");
    M::decode(output.body.clone()).unwrap()
}

/// What the transition among the outputs says.
pub(crate) fn indexed(handled: &Handled) -> v1::Indexed {
    match output::<v1::RunTransition>(handled).transition {
        Some(v1::run_transition::Transition::Indexed(indexed)) => indexed,
        other => panic!("{other:?}"),
    }
}

/// Compares two dumps line by line: a difference is one line, not all of them.
pub(crate) fn assert_same(left: &str, right: &str) {
    for (left, right) in left.lines().zip(right.lines()) {
        assert_eq!(left, right);
    }
    assert_eq!(left.lines().count(), right.lines().count());
}
