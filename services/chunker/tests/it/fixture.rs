//! A run in a database of its own, and the messages of its cloner.

use caffeine_analysis::ANALYSER_VERSION;
use caffeine_bus::{Failure, Outgoing, Rejection};
use caffeine_chunker::{AnalyseFile, Chunker, ChunkerConfig, Delivery, Handled};
use caffeine_contract::{Kind, Message, Scope, id_bytes, v1};
use caffeine_model::{FileVersionId, Generation, Lane, Oid, RepoPath, RepositoryId, RunId, WorkId, WorkspaceId};
use caffeine_store::Store;
use caffeine_testkit::{TestDatabase, canonical_dump};
use tokio_util::sync::CancellationToken;

/// Path and content.
pub(crate) type Sample = (&'static str, &'static str);

/// Three batches of a small program.
pub(crate) const BATCHES: [&[Sample]; 3] = [
    &[
        ("Cargo.toml", "[package]\nname = \"sample\"\nversion = \"1.0.0\"\n"),
        ("src/lib.rs", "//! Doubles.\n\nmod number;\n\npub use number::double;\n"),
        (
            "src/number.rs",
            "/// Twice as much.\npub fn double(n: u32) -> u32 {\n    add(n, n)\n}\n\nfn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n",
        ),
    ],
    &[("README.md", "# Sample\n\nIt doubles.\n"), ("empty.txt", ""), ("logo.png", "\u{0}\u{1}\u{2}")],
    &[("tools/run.py", "import json\n\n\nclass Runner:\n    def run(self):\n        return json.dumps({})\n")],
];

/// A run, and a chunker that works on it.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) chunker: Chunker,
    pub(crate) scope: Scope,
    pub(crate) cancelled: CancellationToken,
}

impl Fixture {
    /// A run whose snapshot lists every file of `batches`.
    pub(crate) async fn new(batches: &[&[Sample]]) -> Self {
        Self::with_analyser(batches, caffeine_analysis::analyse).await
    }

    pub(crate) async fn with_analyser(batches: &[&[Sample]], analyse: AnalyseFile) -> Self {
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url(), 8, "test").await.unwrap();
        let config = ChunkerConfig { threads: 3, ..ChunkerConfig::default() };
        let chunker = Chunker::new(store, &config, analyse);
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
            lane: Lane::Interactive,
            analyser: ANALYSER_VERSION.to_owned(),
            embedding_model: "m".to_owned(),
        };
        let fixture = Self { database, chunker, scope, cancelled: CancellationToken::new() };
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
             VALUES ($1, $2, $3, 'main', 'pending', $4, 'm')",
        )
        .bind(run)
        .bind(workspace)
        .bind(repository)
        .bind(&self.scope.analyser)
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
            for (path, content) in *batch {
                let file = self.file(path, content.as_bytes());
                self.list(path, &file, Some(number), None).await;
            }
        }
    }

    /// Lists a file in the snapshot.
    pub(crate) async fn list(&self, path: &str, file: &v1::File, batch: Option<i32>, skip: Option<&str>) {
        sqlx::query(
            "INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size, \
                 batch, skip_reason) VALUES ($1, $2, $3, $4, $5, $6, 33188, $7, $8, $9)",
        )
        .bind(self.scope.run.as_uuid())
        .bind(self.scope.workspace.as_uuid())
        .bind(self.scope.repository.as_uuid())
        .bind(path)
        .bind(sqlx::types::Uuid::from_slice(&file.file_version_id).unwrap())
        .bind(file.oid.as_ref())
        .bind(i64::try_from(file.content.len()).unwrap())
        .bind(batch)
        .bind(skip)
        .execute(self.database.pool())
        .await
        .unwrap();
    }

    /// A file as the cloner sends it. Its object id only has to differ when its content does.
    pub(crate) fn file(&self, path: &str, content: &[u8]) -> v1::File {
        let mut oid = [0_u8; 20];
        for (position, byte) in content.iter().enumerate() {
            oid[position % 20] = oid[position % 20].wrapping_mul(31) ^ byte;
        }
        let oid = Oid::from_bytes(&oid).unwrap();
        let id = FileVersionId::derive(self.scope.repository, &RepoPath::parse(path.as_bytes()).unwrap(), oid);
        v1::File {
            file_version_id: id_bytes(id.as_uuid()),
            path: path.to_owned(),
            oid: oid.as_bytes().to_vec().into(),
            content: content.to_vec().into(),
        }
    }

    /// A batch of these files.
    pub(crate) fn batch(&self, number: u32, files: &[Sample]) -> v1::FilesBatch {
        let files = files.iter().map(|(path, content)| self.file(path, content.as_bytes())).collect();
        self.batch_of(number, files)
    }

    /// A batch of these files.
    pub(crate) fn batch_of(&self, number: u32, files: Vec<v1::File>) -> v1::FilesBatch {
        let raw = prost::Message::encode_to_vec(&v1::FileSet { files });
        v1::FilesBatch {
            scope: Some(self.scope.to_wire()),
            batch: number,
            files: zstd::bulk::compress(&raw, 1).unwrap().into(),
            raw_bytes: u32::try_from(raw.len()).unwrap(),
        }
    }

    pub(crate) fn listed(&self, batches: u32) -> v1::FilesListed {
        v1::FilesListed { scope: Some(self.scope.to_wire()), batches, failure: None }
    }

    /// Passes what the bus would pass.
    fn delivery<'a>(&'a self, kind: Kind, key: &'a str) -> Delivery<'a> {
        let work = WorkId::derive(self.scope.run, kind.spec().name, key);
        Delivery { scope: &self.scope, work, key, cancelled: &self.cancelled }
    }

    pub(crate) async fn deliver_batch(&self, message: &v1::FilesBatch) -> Result<Handled, Failure> {
        let key = message.key();
        self.chunker.files_batch(self.delivery(Kind::FilesBatch, &key), message).await
    }

    pub(crate) async fn deliver_listed(&self, message: &v1::FilesListed) -> Result<Handled, Failure> {
        self.chunker.files_listed(self.delivery(Kind::FilesListed, ""), message).await
    }

    pub(crate) async fn deliver_link(&self) -> Result<Handled, Failure> {
        self.chunker.link_requested(self.delivery(Kind::LinkRequested, "")).await
    }

    pub(crate) async fn reject_batch(&self, key: &str, rejection: &Rejection) -> Result<Handled, Failure> {
        self.chunker.reject_files_batch(self.delivery(Kind::FilesBatch, key), rejection).await
    }

    pub(crate) async fn reject_link(&self, rejection: &Rejection) -> Result<Handled, Failure> {
        self.chunker.reject_analysis(self.delivery(Kind::LinkRequested, ""), rejection).await
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
        sqlx::query_as("SELECT outcome, detail FROM chunk_inbox WHERE work_id = $1")
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

/// The set inside a message.
pub(crate) fn chunk_set(message: &v1::ChunksBatch) -> v1::ChunkSet {
    let raw = zstd::bulk::decompress(&message.chunks, message.raw_bytes as usize).unwrap();
    prost::Message::decode(raw.as_slice()).unwrap()
}

/// Compares two dumps line by line: a difference is one line, not all of them.
pub(crate) fn assert_same(left: &str, right: &str) {
    for (left, right) in left.lines().zip(right.lines()) {
        assert_eq!(left, right);
    }
    assert_eq!(left.lines().count(), right.lines().count());
}
