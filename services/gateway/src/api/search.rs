//! Search.

use caffeine_embedding::lexical;
use caffeine_model::RepositoryId;
use caffeine_store::gateway::{HitRow, SearchQuery};
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::auth::Auth;
use super::{ApiError, App, Tag};

/// The longest question in characters.
const MAX_QUESTION: usize = 1_000;
/// How many words of a question count.
const MAX_LEXEMES: usize = 64;
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
    /// The higher the better; comparable within one answer only.
    score: f64,
}

/// What was found, the best first.
#[derive(Debug, Object)]
struct SearchResult {
    items: Vec<Hit>,
}

impl From<HitRow> for Hit {
    fn from(row: HitRow) -> Self {
        Self {
            repository_id: row.repository.as_uuid(),
            run_id: row.run.as_uuid(),
            path: row.path,
            language: row.language,
            kind: row.kind,
            start_line: row.start_line,
            end_line: row.end_line,
            scope: row.scope,
            symbol: row.symbol,
            excerpt: row.content,
            score: row.score,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Search")]
impl SearchApi {
    /// Search code
    ///
    /// By meaning and by words, over the latest indexed commit of each repository.
    #[oai(path = "/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        auth: Auth,
        /// The question, or words of the code.
        q: Query<String>,
        /// One repository; all of the workspace if absent.
        repository: Query<Option<Uuid>>,
        /// At most this many, up to 50; 10 if absent.
        limit: Query<Option<u32>>,
    ) -> Result<Json<SearchResult>, ApiError> {
        let question = q.0.trim().to_owned();
        if question.is_empty() || question.chars().count() > MAX_QUESTION {
            let detail = format!("`q` must have between 1 and {MAX_QUESTION} characters.");
            return Err(ApiError::bad_request("bad_question", detail));
        }
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::bad_request("bad_limit", format!("`limit` must be between 1 and {MAX_LIMIT}.")));
        }
        let repository = match repository.0 {
            Some(id) => Some(self.app.repository(&auth.0, RepositoryId::from_uuid(id)).await?.id),
            None => None,
        };
        let mut lexemes = lexical::lexemes(&question);
        lexemes.truncate(MAX_LEXEMES);
        let vector = self.embed(question).await?;
        let query = SearchQuery {
            workspace: auth.0.workspace,
            repository,
            vector: vector.as_deref(),
            lexemes: &lexemes,
            limit: i64::from(limit),
        };
        let hits = self.app.store.search(&query).await?;
        Ok(Json(SearchResult { items: hits.into_iter().map(Hit::from).collect() }))
    }
}

impl SearchApi {
    async fn embed(&self, question: String) -> Result<Option<Vec<f32>>, ApiError> {
        let embedder = std::sync::Arc::clone(&self.app.embedder);
        let embedded = tokio::task::spawn_blocking(move || embedder.embed(&[question.as_str()])).await;
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(error = %error, "question cannot be embedded");
            ApiError::internal()
        };
        let embeddings = embedded.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        Ok(embeddings.into_iter().next().and_then(caffeine_embedding::Embedding::into_vector))
    }
}
