//! Search.

use caffeine_model::RepositoryId;
use caffeine_prompt::passage_query;
use caffeine_store::PassageQuery;
use caffeine_store::gateway::HitRow;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::auth::Auth;
use super::list::Limit;
use super::{ApiError, App, Tag};

/// The longest question in characters.
pub(crate) const MAX_QUESTION: usize = 1_000;
const DEFAULT_LIMIT: u32 = 10;
const MAX_LIMIT: u32 = 50;

pub(crate) struct SearchApi {
    pub(crate) app: App,
}

/// A part of a file that answers the question.
#[derive(Debug, Object)]
struct Hit {
    repository_id: Uuid,
    /// The run whose commit has the file.
    run_id: Uuid,
    path: String,
    language: String,
    /// What the file is for: `source`, `test`, `docs`, `config` or `data`.
    category: String,
    /// `code`, `prose`, `config` or `text`.
    kind: String,
    /// First line, from 1.
    start_line: u32,
    /// Last line.
    end_line: u32,
    /// What is around it (`impl Foo > fn bar`).
    scope: String,
    /// The symbol that it defines; empty if none.
    symbol: String,
    /// Its text.
    excerpt: String,
    /// Whether a name of the question is defined here.
    defines: bool,
    /// The higher the better; comparable within one answer only.
    score: f64,
}

/// What was found, the best first.
#[derive(Debug, Object)]
struct SearchResult {
    outcome: SearchOutcome,
    items: Vec<Hit>,
}

/// What became of a search.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum SearchOutcome {
    /// There are hits.
    Found,
    /// Nothing of what was looked through comes close.
    NothingFits,
    /// There is nothing to look through yet: no run is that far.
    NothingIndexed,
}

impl From<HitRow> for Hit {
    fn from(row: HitRow) -> Self {
        Self {
            repository_id: row.repository.as_uuid(),
            run_id: row.run.as_uuid(),
            path: row.path,
            language: row.language,
            category: row.category,
            kind: row.kind,
            start_line: row.start_line,
            end_line: row.end_line,
            scope: row.scope,
            symbol: row.symbol,
            excerpt: row.content,
            defines: row.defines,
            score: row.score,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Search")]
impl SearchApi {
    /// Search code
    ///
    /// By meaning and by words, over the latest indexed commit of each repository. Where a name of the question is
    /// defined comes first. Nothing is answered if nothing comes close; `outcome` says so.
    #[oai(path = "/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        auth: Auth,
        /// The question, or words of the code.
        q: Query<String>,
        /// One repository; all of the workspace if absent.
        repository: Query<Option<Uuid>>,
        /// At most this many, up to 50; 10 if absent.
        limit: Query<Option<Limit<MAX_LIMIT>>>,
    ) -> Result<Json<SearchResult>, ApiError> {
        if !(1..=MAX_QUESTION).contains(&q.0.chars().count()) {
            let detail = format!("`q` must have between 1 and {MAX_QUESTION} characters.");
            return Err(ApiError::bad_request("bad_question", detail));
        }
        let limit = Limit::or(limit.0, DEFAULT_LIMIT)?;
        let repository = match repository.0 {
            Some(id) => Some(self.app.repository(&auth.0, RepositoryId::from_uuid(id)).await?.id),
            None => None,
        };
        let query = self.query(q.0.trim().to_owned(), limit).await?;
        let hits = self.app.store.search(auth.0.workspace, repository, &query).await?;
        let outcome = match hits.is_empty() {
            false => SearchOutcome::Found,
            true if self.app.store.is_searchable(auth.0.workspace, repository).await? => SearchOutcome::NothingFits,
            true => SearchOutcome::NothingIndexed,
        };
        Ok(Json(SearchResult { outcome, items: hits.into_iter().map(Hit::from).collect() }))
    }
}

impl SearchApi {
    /// Embedding takes the processor for a while, so it has a thread of its own.
    async fn query(&self, question: String, limit: u32) -> Result<PassageQuery, ApiError> {
        let embedder = std::sync::Arc::clone(&self.app.embedder);
        let query = tokio::task::spawn_blocking(move || passage_query(embedder.as_ref(), &question, limit)).await;
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(error = %error, "question cannot be embedded");
            ApiError::internal()
        };
        query.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}
