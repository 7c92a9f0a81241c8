//! A run whose halves are in: a small repository, analysed by the real analysis, in a database of its own.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use caffeine_analysis::{FileRefs, LinkFile, analyse, embedding_text, link, parse_manifest};
use caffeine_bus::{Failure, Outgoing, Rejection};
use caffeine_contract::{Kind, Message, Scope, id_bytes, v1};
use caffeine_doc_writer::{Metrics, ModelSettings, PageEnd, PageWriter, Planner};
use caffeine_embedding::{Embedder, StaticTable, lexical};
use caffeine_model::{
    ANALYSER, DocumentId, EMBEDDING_MODEL, FileVersionId, Generation, Lane, Oid, RepoPath, RepositoryId, RunId, WorkId,
    WorkspaceId,
};
use caffeine_sendgate::{EgressPolicy, SendGate};
use caffeine_store::Store;
use caffeine_testkit::TestDatabase;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// The time of all transitions.
pub(crate) const NOW: i64 = 1_234;

/// How long a dead asker keeps others away.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// Loaded once for all tests of a process.
pub(crate) static TABLE: LazyLock<Arc<StaticTable>> = LazyLock::new(|| Arc::new(StaticTable::load().unwrap()));

/// Paths and texts.
const FILES: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[package]\nname = \"pool\"\nversion = \"0.1.0\"\ndescription = \"Connections\"\n\n[dependencies]\nserde = \"1\"\n",
    ),
    ("README.md", "# pool\n\nKeeps connections to a server open and hands them out.\n"),
    (
        "src/lib.rs",
        "//! A pool of connections.\n\nmod store;\n\nuse crate::store::Store;\nuse serde::Serialize;\n\n/// Hands out connections. <b>Not</b> ![x](https://evil.example/p.png).\npub struct Pool {\n    store: Store,\n}\n\nimpl Pool {\n    /// Takes a free connection.\n    pub fn acquire(&self) -> u32 {\n        self.store.open()\n    }\n}\n",
    ),
    (
        "src/store/mod.rs",
        "/// Where connections are kept.\npub struct Store;\n\nimpl Store {\n    /// Opens a connection.\n    pub fn open(&self) -> u32 {\n        7\n    }\n}\n",
    ),
    ("src/weird (x) [y]|z.rs", "pub fn weird() {}\n\npub enum Odd {\n    /// Like *no* `other`.\n    First(u8),\n}\n"),
    ("tests/pool.rs", "#[test]\nfn acquires() {}\n"),
    (".env", "SECRET=connection\n"),
];

/// A run, and a doc-writer that works on it.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
    pub(crate) scope: Scope,
    pub(crate) planner: Planner,
    pub(crate) writer: PageWriter,
}

impl Fixture {
    /// A run without a model.
    pub(crate) async fn new() -> Self {
        Self::with_gate(SendGate::new(EgressPolicy::None, None)).await
    }

    pub(crate) async fn with_gate(gate: SendGate) -> Self {
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url(), 6, "test").await.unwrap();
        let scope = Scope {
            workspace: WorkspaceId::generate(),
            repository: RepositoryId::generate(),
            run: RunId::generate(),
            generation: Generation(0),
            lane: Lane::Interactive,
            analyser: ANALYSER.to_owned(),
            embedding_model: EMBEDDING_MODEL.to_owned(),
        };
        insert(database.pool(), &scope).await;
        let planner = Planner::new(store.clone(), gate.clone(), Arc::new(|| NOW));
        let writer = writer(&store, gate);
        Self { database, store, scope, planner, writer }
    }

    /// Another pod, with another gate.
    pub(crate) fn writer_with(&self, gate: SendGate) -> PageWriter {
        writer(&self.store, gate)
    }

    pub(crate) fn work<M: Message>(&self, message: &M) -> WorkId {
        WorkId::derive(self.scope.run, M::KIND.spec().name, &message.key())
    }

    pub(crate) async fn request(&self, message: &v1::DocumentRequested) -> Result<Vec<Outgoing>, Failure> {
        self.planner.requested(&self.scope, self.work(message), message.clone()).await
    }

    pub(crate) async fn half(&self, phase: v1::Phase, failure: Option<&str>) -> Result<Vec<Outgoing>, Failure> {
        let failure = failure.map(|reason| v1::Failure { code: "broken".to_owned(), reason: reason.to_owned() });
        let message = v1::DocumentReady { scope: None, phase: phase.into(), failure };
        self.planner.ready(&self.scope, self.work(&message), message).await
    }

    pub(crate) async fn page(&self, document: DocumentId, slug: &str) -> Result<PageEnd, Failure> {
        self.page_by(&self.writer, document, slug).await
    }

    pub(crate) async fn page_by(
        &self,
        writer: &PageWriter,
        document: DocumentId,
        slug: &str,
    ) -> Result<PageEnd, Failure> {
        let message = page_message(document, slug);
        writer.write(&self.scope, self.work(&message), message, &CancellationToken::new()).await
    }

    pub(crate) async fn page_until(
        &self,
        cancelled: &CancellationToken,
        document: DocumentId,
        slug: &str,
    ) -> Result<PageEnd, Failure> {
        let message = page_message(document, slug);
        self.writer.write(&self.scope, self.work(&message), message, cancelled).await
    }

    pub(crate) async fn reject_page(&self, document: DocumentId, slug: &str, reason: &str) -> PageEnd {
        let message = page_message(document, slug);
        let rejection = Rejection { code: "test".to_owned(), reason: reason.to_owned() };
        self.writer.reject(&self.scope, self.work(&message), &message.key(), &rejection).await.unwrap()
    }

    /// Both halves in, and a document begun: its pages.
    pub(crate) async fn begin(&self, message: &v1::DocumentRequested) -> (DocumentId, Vec<String>) {
        self.request(message).await.unwrap();
        self.half(v1::Phase::Analysed, None).await.unwrap();
        let outputs = self.half(v1::Phase::Indexed, None).await.unwrap();
        (document_of(message), slugs(&outputs))
    }

    /// Every page as it is stored.
    pub(crate) async fn markdown(&self, document: DocumentId, slug: &str) -> String {
        self.store.page_markdown(self.scope.workspace, document, slug).await.unwrap().unwrap()
    }

    pub(crate) async fn text(&self, statement: &'static str) -> String {
        let rows: Vec<String> = sqlx::query_scalar(statement).fetch_all(self.database.pool()).await.unwrap();
        rows.join(", ")
    }

    /// All rows of the doc-writer, without times.
    pub(crate) async fn dump(&self) -> String {
        let mut dump = String::new();
        for statement in [
            "SELECT to_jsonb(d)::text FROM document_runs d",
            "SELECT (to_jsonb(d) - 'requested_at' - 'completed_at')::text FROM documents d ORDER BY document_id",
            "SELECT to_jsonb(p)::text FROM pages p ORDER BY document_id, slug",
            "SELECT (to_jsonb(r) - 'created_at')::text FROM revisions r ORDER BY document_id, slug, number",
            "SELECT to_jsonb(c)::text FROM citations c ORDER BY document_id, slug, number, ordinal",
            "SELECT (to_jsonb(i) - 'updated_at')::text FROM document_inbox i ORDER BY work_id",
            "SELECT (to_jsonb(c) - 'sent_at' - 'ended_at')::text FROM llm_calls c ORDER BY slug",
        ] {
            dump.push_str(&self.text(statement).await);
            dump.push('\n');
        }
        dump
    }
}

/// A request for a structural document.
pub(crate) fn structural() -> v1::DocumentRequested {
    v1::DocumentRequested {
        scope: None,
        document_id: id_bytes(DocumentId::generate().as_uuid()),
        title: "Documentation".to_owned(),
        writer: Some(v1::document_requested::Writer::Structural(v1::StructuralWriter {})),
    }
}

/// A request for a document of a template.
pub(crate) fn template(body: &str) -> v1::DocumentRequested {
    let template = v1::TemplateWriter {
        template_version_id: id_bytes(DocumentId::generate().as_uuid()),
        name: "Connections".to_owned(),
        system: "Be {style}.".to_owned(),
        body: body.to_owned(),
        style: "terse {code}".to_owned(),
        output_language: "en".to_owned(),
        query: "how is a connection acquired".to_owned(),
        model: String::new(),
    };
    v1::DocumentRequested { writer: Some(v1::document_requested::Writer::Template(template)), ..structural() }
}

pub(crate) fn document_of(message: &v1::DocumentRequested) -> DocumentId {
    DocumentId::from_uuid(sqlx::types::Uuid::from_slice(&message.document_id).unwrap())
}

fn page_message(document: DocumentId, slug: &str) -> v1::PageRequested {
    v1::PageRequested { scope: None, document_id: id_bytes(document.as_uuid()), slug: slug.to_owned() }
}

/// The pages that are asked for.
pub(crate) fn slugs(outputs: &[Outgoing]) -> Vec<String> {
    let pages = outputs.iter().filter(|output| output.kind == Kind::PageRequested);
    pages.map(|output| <v1::PageRequested as prost::Message>::decode(output.body.clone()).unwrap().slug).collect()
}

/// The transitions, as short words.
pub(crate) fn transitions(outputs: &[Outgoing]) -> Vec<String> {
    use v1::run_transition::Transition;
    let transitions = outputs.iter().filter(|output| output.kind == Kind::RunTransition);
    transitions
        .map(|output| {
            let message = <v1::RunTransition as prost::Message>::decode(output.body.clone()).unwrap();
            assert_eq!(message.occurred_at_ms, NOW);
            match message.transition.unwrap() {
                Transition::DocumentPlanned(planned) => format!("planned {}", planned.pages),
                Transition::DocumentCompleted(done) => {
                    let reason = done.failure.map(|failure| format!(" {}: {}", failure.code, failure.reason));
                    format!("completed {}/{}{}", done.failed_pages, done.pages, reason.unwrap_or_default())
                }
                other => format!("{other:?}"),
            }
        })
        .collect()
}

fn writer(store: &Store, gate: SendGate) -> PageWriter {
    let settings =
        ModelSettings { model: "model-1".to_owned(), max_output_tokens: 1_000, context_tokens: 8_000, lease: LEASE };
    let table = Arc::clone(&*TABLE);
    PageWriter::new(store.clone(), gate, table, settings, Arc::new(|| NOW), Metrics::default())
}

async fn insert(pool: &PgPool, scope: &Scope) {
    let (workspace, repository, run) = (scope.workspace.as_uuid(), scope.repository.as_uuid(), scope.run.as_uuid());
    for statement in [
        "INSERT INTO workspaces (workspace_id, name) SELECT $1, 'w' WHERE $2::uuid IS NOT NULL AND $3::uuid IS NOT NULL",
        "INSERT INTO repositories (repository_id, workspace_id, name, url) SELECT $2, $1, 'pool', 'http://r' WHERE $3::uuid IS NOT NULL",
        "INSERT INTO runs (run_id, workspace_id, repository_id, ref, state, analyser, embedding_model) VALUES ($3, $1, $2, 'main', 'analysed', 'a1', 'static-code-256-v2')",
        "INSERT INTO snapshots (run_id, workspace_id, repository_id, ref, commit_oid, tree_oid, committed_at, truncated) VALUES ($3, $1, $2, 'main', decode(repeat('07', 20), 'hex'), decode(repeat('07', 20), 'hex'), '2026-01-02T03:04:05Z', false)",
        "INSERT INTO clone_runs (run_id, workspace_id, lane, batches, files, known, skipped, bytes) SELECT $3, $1, 'bulk', 1, 1, 0, 0, 1 WHERE $2::uuid IS NOT NULL",
        "INSERT INTO chunk_runs (run_id, workspace_id) SELECT $3, $1 WHERE $2::uuid IS NOT NULL",
        "INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size, skip_reason) VALUES ($3, $1, $2, 'link', gen_random_uuid(), decode(repeat('01', 20), 'hex'), 40960, 1, 'symlink')",
    ] {
        sqlx::query(statement).bind(workspace).bind(repository).bind(run).execute(pool).await.unwrap();
    }
    let mut files = Vec::new();
    for (path, text) in FILES {
        files.push(insert_file(pool, scope, path, text).await);
    }
    let (files, mut mentions): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    mentions.sort_by(|left, right| left.path.cmp(&right.path));
    let output = link(&files, mentions);
    for module in &output.modules {
        sqlx::query(
            "INSERT INTO modules (run_id, slug, workspace_id, name, parent, path) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(run)
        .bind(&module.slug)
        .bind(workspace)
        .bind(&module.name)
        .bind(&module.parent)
        .bind(&module.path)
        .execute(pool)
        .await
        .unwrap();
        for path in &module.files {
            let rank = output.file_ranks.iter().find(|(known, _)| known == path).map_or(0.0, |(_, rank)| *rank);
            sqlx::query(
                "INSERT INTO module_files (run_id, path, workspace_id, module, rank) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(run)
            .bind(path)
            .bind(workspace)
            .bind(&module.slug)
            .bind(rank)
            .execute(pool)
            .await
            .unwrap();
        }
    }
    for (ordinal, edge) in (0_i32..).zip(&output.edges) {
        sqlx::query(
            "INSERT INTO edges (run_id, ordinal, workspace_id, src_path, src_symbol, dst_path, dst_symbol, kind, tier, line, count) \
             VALUES ($1, $2, $3, $4, NULL, $5, NULL, $6, 1, 1, $7)",
        )
        .bind(run)
        .bind(ordinal)
        .bind(workspace)
        .bind(output.path(edge.src))
        .bind(output.path(edge.dst))
        .bind(edge.kind.as_str())
        .bind(i32::try_from(edge.count).unwrap())
        .execute(pool)
        .await
        .unwrap();
    }
    for external in &output.externals {
        sqlx::query(
            "INSERT INTO external_dependencies (run_id, path, package, workspace_id, count) VALUES ($1, $2, $3, $4, 1)",
        )
        .bind(run)
        .bind(&external.path)
        .bind(&external.package)
        .bind(workspace)
        .execute(pool)
        .await
        .unwrap();
    }
}

/// The rows of one file, as cloner, chunker and embedder write them.
async fn insert_file(pool: &PgPool, scope: &Scope, path: &str, text: &str) -> (LinkFile, FileRefs) {
    let (workspace, repository, run) = (scope.workspace.as_uuid(), scope.repository.as_uuid(), scope.run.as_uuid());
    let int = |number: u32| i32::try_from(number).unwrap();
    let oid = Oid::from_bytes(&[1; 20]).unwrap();
    let version = FileVersionId::derive(scope.repository, &RepoPath::parse(path.as_bytes()).unwrap(), oid).as_uuid();
    let analysis = analyse(path, text.as_bytes());
    let manifest = parse_manifest(path, text);
    sqlx::query(
        "INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size, batch) \
         VALUES ($1, $2, $3, $4, $5, $6, 33188, $7, 0)",
    )
    .bind(run)
    .bind(workspace)
    .bind(repository)
    .bind(path)
    .bind(version)
    .bind(oid.as_bytes().as_slice())
    .bind(i64::try_from(text.len()).unwrap())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO file_versions (file_version_id, analyser, workspace_id, repository_id, path, oid, language, category, \
         encoding, lines, source_lines, parse_quality, manifest, text_zstd) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'utf-8', $9, $10, $11, $12, $13)",
    )
    .bind(version)
    .bind(ANALYSER)
    .bind(workspace)
    .bind(repository)
    .bind(path)
    .bind(oid.as_bytes().as_slice())
    .bind(analysis.language.as_str())
    .bind(analysis.category.as_str())
    .bind(int(analysis.loc))
    .bind(int(analysis.sloc))
    .bind(analysis.parse.as_str())
    .bind(manifest.as_ref().map(|manifest| serde_json::to_value(manifest).unwrap()))
    .bind(zstd::encode_all(analysis.text.as_bytes(), 1).unwrap())
    .execute(pool)
    .await
    .unwrap();
    for symbol in &analysis.symbols {
        sqlx::query(
            "INSERT INTO symbols (file_version_id, analyser, ordinal, workspace_id, parent, kind, name, qualified, signature, \
             doc, visibility, exported, start_line, end_line, start_byte, end_byte) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0)",
        )
        .bind(version)
        .bind(ANALYSER)
        .bind(int(symbol.ordinal))
        .bind(workspace)
        .bind(symbol.parent.map(int))
        .bind(symbol.kind.as_str())
        .bind(&symbol.name)
        .bind(&symbol.qualified)
        .bind(&symbol.signature)
        .bind(&symbol.doc)
        .bind(symbol.visibility.as_str())
        .bind(symbol.exported)
        .bind(int(symbol.start_line))
        .bind(int(symbol.end_line))
        .execute(pool)
        .await
        .unwrap();
    }
    insert_chunks(pool, scope, version, path, &analysis).await;
    LinkFile::of(path, analysis)
}

async fn insert_chunks(
    pool: &PgPool,
    scope: &Scope,
    version: sqlx::types::Uuid,
    path: &str,
    analysis: &caffeine_analysis::FileAnalysis,
) {
    let (workspace, repository) = (scope.workspace.as_uuid(), scope.repository.as_uuid());
    sqlx::query(
        "INSERT INTO embedded_versions (file_version_id, analyser, model, workspace_id, repository_id, chunks) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(version)
    .bind(ANALYSER)
    .bind(EMBEDDING_MODEL)
    .bind(workspace)
    .bind(repository)
    .execute(pool)
    .await
    .unwrap();
    for chunk in &analysis.chunks {
        let content = chunk.slice(&analysis.text);
        let text = embedding_text(path, chunk, content);
        let vector = TABLE.embed(&[&text]).unwrap().remove(0).into_vector().map(|vector| format!("{vector:?}"));
        sqlx::query(
            "INSERT INTO chunks (file_version_id, analyser, model, ordinal, workspace_id, repository_id, path, language, \
             kind, scope, symbol, start_line, end_line, content, lexemes, embedding) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'code', '', '', $9, $10, $11, array_to_tsvector($12), $13::halfvec)",
        )
        .bind(version)
        .bind(ANALYSER)
        .bind(EMBEDDING_MODEL)
        .bind(i32::try_from(chunk.ordinal).unwrap())
        .bind(workspace)
        .bind(repository)
        .bind(path)
        .bind(analysis.language.as_str())
        .bind(i32::try_from(chunk.start_line).unwrap())
        .bind(i32::try_from(chunk.end_line).unwrap())
        .bind(content)
        .bind(lexical::lexemes(&text))
        .bind(vector)
        .execute(pool)
        .await
        .unwrap();
    }
}
