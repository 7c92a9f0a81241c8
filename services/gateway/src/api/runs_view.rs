//! What a run looks like to clients.

use caffeine_model::{DocumentId, RunId, TemplateVersionId};
use caffeine_store::gateway::{NamedRunRow, RunDocumentRow, RunRow};
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::auth::Principal;
use super::{ApiError, App};
use crate::domain::stages::{self, Stage};

/// No run has more events than this: a few per stage and two per document.
pub(crate) const MAX_EVENTS: i64 = 1_000;

/// A run: one processing of one commit.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Run {
    id: Uuid,
    repository_id: Uuid,
    /// Branch, tag or commit that was asked for; empty for the default branch.
    #[oai(rename = "ref")]
    reference: String,
    /// `queued`, `pending`, `cloning`, `cloned`, `analysed`, `indexed`, `completed`, `completed_with_errors`, `failed`,
    /// `cancelled` or `superseded` (replaced before it began, or by a run with the versions that are at work now). It
    /// never moves back.
    pub(crate) state: String,
    /// The commit it is pinned to, once known.
    commit: Option<String>,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// From the request to the end; absent until then.
    seconds: Option<f64>,
    /// Why it failed.
    failure: Option<RunFailure>,
    /// What the stages did; absent in lists.
    stages: Option<RunStages>,
    /// What it writes; absent in lists.
    documents: Option<Vec<RunDocument>>,
    /// Its repository, as people know it; only in the list of all runs.
    repository_name: Option<String>,
}

/// Why a run failed.
#[derive(Debug, Object)]
struct RunFailure {
    /// A stable word for programs.
    code: String,
    /// One sentence for people.
    reason: String,
}

/// The stages of a run.
#[derive(Debug, Object)]
struct RunStages {
    clone: CloneStage,
    analyse: AnalyseStage,
    index: IndexStage,
    write: WriteStage,
}

/// Listing the commit and sending what is not known yet.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct CloneStage {
    /// How long it took; absent until it has ended.
    seconds: Option<f64>,
    /// Regular files of the commit.
    files: Option<u32>,
    /// Of which are analysed already.
    known: Option<u32>,
    /// Of which are not analysed: too large, no text, ….
    skipped: Option<u32>,
    /// Of which were sent.
    sent: Option<u32>,
    /// In how many batches.
    batches: Option<u32>,
    /// Size of what was sent.
    bytes: Option<u64>,
}

/// Parsing files and linking them.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct AnalyseStage {
    /// How long it took, from the plan on; absent until it has ended.
    seconds: Option<f64>,
    /// Files of the snapshot that are analysed.
    files: Option<u32>,
    /// Files that could not be.
    skipped: Option<u32>,
    /// Functions, types, … that were found.
    symbols: Option<u32>,
    /// Connections between them.
    edges: Option<u32>,
    modules: Option<u32>,
    /// Batches that were given up.
    failed_batches: Option<u32>,
}

/// Embedding chunks for search and retrieval.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct IndexStage {
    /// How long it took, from the plan on; absent until it has ended.
    seconds: Option<f64>,
    /// Chunks of the snapshot.
    chunks: Option<u32>,
    /// Batches that were given up.
    failed_batches: Option<u32>,
}

/// Writing documents.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct WriteStage {
    /// From the first planned document to the last one that ended so far.
    seconds: Option<f64>,
    /// Pages of the documents that have ended.
    pages: Option<u32>,
    /// Of which could not be written.
    failed_pages: Option<u32>,
}

/// A document of a run.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct RunDocument {
    id: Uuid,
    title: String,
    /// The template's version; absent if structural.
    template_version_id: Option<Uuid>,
    /// `requested`, `writing`, `completed`, `completed_with_errors`, `failed` or `cancelled`.
    state: String,
    pages: Option<u32>,
    failed_pages: Option<u32>,
    /// Why it failed.
    failure: Option<String>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        let failure = row
            .failure_reason
            .map(|reason| RunFailure { code: row.failure_code.unwrap_or_else(|| "unexplained".to_owned()), reason });
        Self {
            id: row.id.as_uuid(),
            repository_id: row.repository.as_uuid(),
            reference: row.reference,
            state: row.state.to_string(),
            commit: row.commit,
            created_at: row.created_at,
            ended_at: row.ended_at,
            seconds: row.ended_at.map(|ended| (ended - row.created_at).as_seconds_f64()),
            failure,
            stages: None,
            documents: None,
            repository_name: None,
        }
    }
}

impl From<NamedRunRow> for Run {
    fn from(row: NamedRunRow) -> Self {
        Self { repository_name: Some(row.repository_name), ..Self::from(row.run) }
    }
}

impl From<stages::Stages> for RunStages {
    fn from(all: stages::Stages) -> Self {
        let seconds = Stage::seconds;
        Self {
            clone: CloneStage {
                seconds: seconds(&all.clone),
                files: all.clone.facts.files,
                known: all.clone.facts.known,
                skipped: all.clone.facts.skipped,
                sent: all.clone.facts.sent,
                batches: all.clone.facts.batches,
                bytes: all.clone.facts.bytes,
            },
            analyse: AnalyseStage {
                seconds: seconds(&all.analyse),
                files: all.analyse.facts.files,
                skipped: all.analyse.facts.skipped,
                symbols: all.analyse.facts.symbols,
                edges: all.analyse.facts.edges,
                modules: all.analyse.facts.modules,
                failed_batches: all.analyse.facts.failed_batches,
            },
            index: IndexStage {
                seconds: seconds(&all.index),
                chunks: all.index.facts.chunks,
                failed_batches: all.index.facts.failed_batches,
            },
            write: WriteStage {
                seconds: seconds(&all.write),
                pages: all.write.facts.pages,
                failed_pages: all.write.facts.failed_pages,
            },
        }
    }
}

impl From<RunDocumentRow> for RunDocument {
    fn from(row: RunDocumentRow) -> Self {
        Self {
            id: DocumentId::as_uuid(row.id),
            title: row.title,
            template_version_id: row.template_version.map(TemplateVersionId::as_uuid),
            state: row.state.to_string(),
            pages: row.pages,
            failed_pages: row.failed_pages,
            failure: row.failure_reason,
        }
    }
}

impl App {
    /// A run with its stages and documents.
    pub(crate) async fn run_view(&self, who: &Principal, id: RunId) -> Result<Run, ApiError> {
        let row = self.store.run(who.workspace, id).await?.ok_or_else(|| ApiError::not_found("run"))?;
        let events = self.store.run_events(who.workspace, id, 0, MAX_EVENTS).await?;
        let documents = self.store.run_documents(who.workspace, id).await?;
        Ok(Run {
            stages: Some(stages::stages(&events).into()),
            documents: Some(documents.into_iter().map(RunDocument::from).collect()),
            ..Run::from(row)
        })
    }
}
