//! What a repository holds at a commit: an overview, the list of its files, and single files.

use caffeine_model::{RepoPath, RepositoryId};
use caffeine_store::gateway::{CitingPageRow, FileRow, LanguageRow, SnapshotRow, SymbolRow};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::auth::{Auth, Principal};
use super::conditional::{REVALIDATE, etag, is_known};
use super::documents::Document;
use super::runs_view::{MAX_EVENTS, Run};
use super::sources::unpack;
use super::{ApiError, App, Tag};
use crate::domain::stages;

/// The longest list of files that is answered.
const MAX_FILES: i64 = 50_000;
/// How many symbols of a file are answered.
const MAX_SYMBOLS: i64 = 5_000;
/// How many pages that cite a file are answered.
const MAX_CITING: i64 = 200;
/// How a browser keeps a file of a commit that was named.
const OF_A_COMMIT: &str = "private, max-age=300";

pub(crate) struct TreeApi {
    pub(crate) app: App,
}

/// A language of a repository.
#[derive(Debug, Object)]
struct Language {
    /// Its name; empty for files of no language.
    language: String,
    files: u64,
    lines: u64,
}

/// What there is of a repository.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Overview {
    /// The commit of the latest snapshot that can be read and searched; absent until there is one, and then every
    /// number is 0.
    commit: Option<String>,
    /// Files with text.
    files: u64,
    /// The one with the most lines first.
    languages: Vec<Language>,
    modules: u32,
    /// Functions, types, … that were found.
    symbols: u32,
    /// Connections between them.
    edges: u32,
    /// Parts of files that can be found.
    chunks: u32,
    /// Files without text: too large, no text, ….
    skipped: u32,
    /// The latest document that can be read.
    document: Option<Document>,
    /// The latest run.
    run: Option<Run>,
}

/// A file of a commit.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct File {
    path: String,
    /// Its language; absent if it was not analysed.
    language: Option<String>,
    /// `source`, `test`, `docs`, …; absent if it was not analysed.
    category: Option<String>,
    /// Absent if it was not analysed.
    lines: Option<u32>,
    /// Size in bytes.
    size: u64,
    /// Git's identifier of its content.
    oid: String,
    /// Why it has no text; absent if it has.
    skipped_reason: Option<String>,
}

/// The files of a commit.
#[derive(Debug, Object)]
struct Tree {
    commit: String,
    /// There are more files than are listed.
    truncated: bool,
    /// By path.
    files: Vec<File>,
}

/// A symbol of a file.
#[derive(Debug, Object)]
struct Symbol {
    name: String,
    /// `function`, `struct`, ….
    kind: String,
    /// From 1.
    start_line: u32,
    /// Included.
    end_line: u32,
}

/// A page that cites a file.
#[derive(Debug, Object)]
struct CitingPage {
    /// Identifier of its document.
    document: Uuid,
    slug: String,
    title: String,
}

/// A file with its text.
#[derive(Debug, Object)]
struct Blob {
    path: String,
    commit: String,
    /// Git's identifier of its content.
    oid: String,
    /// Empty if it has none.
    language: String,
    lines: u32,
    /// As the analysis saw it: UTF-8, whatever the file's encoding is.
    text: String,
    /// In the order of the text.
    symbols: Vec<Symbol>,
    /// The published pages about this commit that cite it.
    pages: Vec<CitingPage>,
}

#[derive(ApiResponse)]
enum BlobResponse {
    /// The file.
    #[oai(status = 200)]
    Ok(Json<Blob>, #[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
    /// It is as `If-None-Match` says.
    #[oai(status = 304)]
    Known(#[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
}

impl From<LanguageRow> for Language {
    fn from(row: LanguageRow) -> Self {
        Self { language: row.language, files: row.files.unsigned_abs(), lines: row.lines.unsigned_abs() }
    }
}

impl From<FileRow> for File {
    fn from(row: FileRow) -> Self {
        Self {
            path: row.path,
            language: row.language,
            category: row.category,
            lines: row.lines.map(i32::unsigned_abs),
            size: row.size.unsigned_abs(),
            oid: row.oid,
            skipped_reason: row.skip_reason,
        }
    }
}

impl From<SymbolRow> for Symbol {
    fn from(row: SymbolRow) -> Self {
        Self {
            name: row.name,
            kind: row.kind,
            start_line: row.start_line.unsigned_abs(),
            end_line: row.end_line.unsigned_abs(),
        }
    }
}

impl From<CitingPageRow> for CitingPage {
    fn from(row: CitingPageRow) -> Self {
        Self { document: row.document_id, slug: row.slug, title: row.title }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Repositories")]
impl TreeApi {
    /// Get an overview of a repository
    ///
    /// What its latest readable snapshot holds, its latest document and its latest run.
    #[oai(path = "/repositories/:repository/overview", method = "get", operation_id = "get_overview")]
    async fn overview(&self, auth: Auth, repository: Path<Uuid>) -> Result<Json<Overview>, ApiError> {
        let repository = self.app.repository(&auth.0, RepositoryId::from_uuid(repository.0)).await?;
        let (store, workspace) = (&self.app.store, auth.0.workspace);
        let run = match repository.latest_run {
            Some(run) => store.run(workspace, run).await?.map(Run::from),
            None => None,
        };
        let document = store.latest_document(workspace, repository.id).await?.map(Document::from);
        let Some(snapshot) = store.snapshot_of(workspace, repository.id, None).await? else {
            return Ok(Json(Overview { document, run, ..Overview::empty() }));
        };
        let languages: Vec<Language> =
            store.snapshot_languages(&snapshot).await?.into_iter().map(Language::from).collect();
        let stages = stages::stages(&store.run_events(workspace, snapshot.run, 0, MAX_EVENTS).await?);
        let (clone, analysed, indexed) = (stages.clone.facts, stages.analyse.facts, stages.index.facts);
        let count = |fact: Option<u32>| fact.unwrap_or_default();
        Ok(Json(Overview {
            commit: Some(snapshot.commit),
            files: languages.iter().map(|language| language.files).sum(),
            languages,
            modules: count(analysed.modules),
            symbols: count(analysed.symbols),
            edges: count(analysed.edges),
            chunks: count(indexed.chunks),
            skipped: count(clone.skipped).saturating_add(count(analysed.skipped)),
            document,
            run,
        }))
    }

    /// List the files of a commit
    ///
    /// By path, at most 50,000.
    #[oai(path = "/repositories/:repository/tree", method = "get", operation_id = "get_tree")]
    async fn tree(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// A full commit id that a run has listed; the latest one that can be read and searched if absent.
        commit: Query<Option<String>>,
    ) -> Result<Json<Tree>, ApiError> {
        let repository = RepositoryId::from_uuid(repository.0);
        let snapshot = self.app.snapshot(&auth.0, repository, commit.0.as_deref()).await?;
        let mut files = self.app.store.snapshot_files(&snapshot, MAX_FILES + 1).await?;
        let limit = usize::try_from(MAX_FILES).unwrap_or(usize::MAX);
        let truncated = snapshot.truncated || files.len() > limit;
        files.truncate(limit);
        let files = files.into_iter().map(File::from).collect();
        Ok(Json(Tree { commit: snapshot.commit, truncated, files }))
    }

    /// Get a file
    ///
    /// With its symbols and the pages that cite it.
    #[oai(path = "/repositories/:repository/blob", method = "get", operation_id = "get_blob")]
    async fn blob(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// Its path in the repository.
        path: Query<String>,
        /// A full commit id that a run has listed; the latest one that can be read and searched if absent.
        commit: Query<Option<String>>,
        /// The `ETag` of the answer that is there already.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<BlobResponse, ApiError> {
        let missing = || ApiError::not_found("file");
        let repository = RepositoryId::from_uuid(repository.0);
        let (store, workspace) = (&self.app.store, auth.0.workspace);
        let snapshot = self.app.snapshot(&auth.0, repository, commit.0.as_deref()).await?;
        let path = RepoPath::parse(path.0.as_bytes()).map_err(|_| missing())?;
        let row = store.snapshot_blob(&snapshot, &path).await?.ok_or_else(missing)?;
        let Some(packed) = row.text_zstd else {
            let reason = row.skip_reason.unwrap_or_else(|| "not analysed yet".to_owned());
            return Err(ApiError::conflict("no_text", format!("The file has no text here: {reason}.")));
        };
        let text = unpack(packed).await?;
        let symbols = store.version_symbols(workspace, row.version, &snapshot.analyser, MAX_SYMBOLS).await?;
        let pages = store.citing_pages(workspace, repository, &snapshot.commit, &path, MAX_CITING).await?;
        let blob = Blob {
            path: path.as_str().to_owned(),
            commit: snapshot.commit,
            oid: row.oid,
            language: row.language.unwrap_or_default(),
            lines: row.lines.unwrap_or_default().unsigned_abs(),
            text,
            symbols: symbols.into_iter().map(Symbol::from).collect(),
            pages: pages.into_iter().map(CitingPage::from).collect(),
        };
        // The text of a commit never changes; which pages cite it does until its documents are written.
        let kept = if commit.0.is_some() { OF_A_COMMIT } else { REVALIDATE };
        let tag = etag(&blob);
        if is_known(if_none_match.0.as_deref(), &tag) {
            return Ok(BlobResponse::Known(tag, kept.to_owned()));
        }
        Ok(BlobResponse::Ok(Json(blob), tag, kept.to_owned()))
    }
}

impl Overview {
    fn empty() -> Self {
        Self {
            commit: None,
            files: 0,
            languages: Vec::new(),
            modules: 0,
            symbols: 0,
            edges: 0,
            chunks: 0,
            skipped: 0,
            document: None,
            run: None,
        }
    }
}

impl App {
    /// A snapshot of a repository: of a commit, or the latest one that can be read.
    pub(crate) async fn snapshot(
        &self,
        who: &Principal,
        repository: RepositoryId,
        commit: Option<&str>,
    ) -> Result<SnapshotRow, ApiError> {
        let mut oid = [0_u8; 20];
        if let Some(text) = commit {
            hex::decode_to_slice(text, &mut oid).map_err(|_| {
                ApiError::bad_request("bad_commit", "`commit` must be a full commit id, 40 hexadecimal digits.")
            })?;
        }
        let found = self.store.snapshot_of(who.workspace, repository, commit.map(|_| &oid)).await?;
        if let Some(snapshot) = found {
            return Ok(snapshot);
        }
        // Whether the repository is there is worth an answer of its own.
        self.repository(who, repository).await?;
        Err(ApiError::not_found("snapshot: no run has read this commit, or it is not kept any more"))
    }
}
