//! Search over the latest indexed snapshots.

use caffeine_model::{RepositoryId, RunId, WorkspaceId};

use crate::passages::{Found, PassageQuery, Place, Rules};
use crate::{Store, StoreError};

/// Measured with `bench/search` over 110 questions and 240 pieces of nonsense on the repositories that the rules were
/// tried on. The best chunk of invented words holds 0 of their weight; of questions about something else (pies, whales,
/// flights) at the median 0.22 in a large repository and 0 in small ones; of genuine questions at the 5th percentile 0.33.
const LEAST_SHARE: f64 = 0.3;
/// 95 of 100 pieces of nonsense stay below 0.34, of questions about something else below 0.39; the median of genuine
/// questions is 0.53. Nearness alone separates badly, so a word must be there as well.
const LEAST_COSINE: f64 = 0.4;

/// A hit: a chunk of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct HitRow {
    /// The repository.
    pub repository: RepositoryId,
    /// The run whose snapshot has the file.
    pub run: RunId,
    /// The file.
    pub path: String,
    /// Its language.
    pub language: String,
    /// What the file is for: `source`, `test`, `docs`, `config`, `data`.
    pub category: String,
    /// `code`, `prose`, `config` or `text`.
    pub kind: String,
    /// What is around it (`impl Foo > fn bar`).
    pub scope: String,
    /// The symbol it defines, if any.
    pub symbol: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line.
    pub end_line: u32,
    /// Its text.
    pub content: String,
    /// Whether a name of the question is defined here.
    pub defines: bool,
    /// The higher the better; comparable within one answer only.
    pub score: f64,
}

impl Store {
    /// The best chunks for a question in one repository or all, the best first; none if nothing comes close.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn search(
        &self,
        workspace: WorkspaceId,
        repository: Option<RepositoryId>,
        query: &PassageQuery,
    ) -> Result<Vec<HitRow>, StoreError> {
        let rules = Rules { neighbours: 100, docs: 1.0, least_share: LEAST_SHARE, least_cosine: LEAST_COSINE };
        let found = self.find(workspace, Place::Latest(repository), query, rules).await?;
        Ok(found.into_iter().map(HitRow::from).collect())
    }

    /// Whether there is anything that [`Store::search`] could look through.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn is_searchable(
        &self,
        workspace: WorkspaceId,
        repository: Option<RepositoryId>,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT FROM runs JOIN repositories USING (repository_id, workspace_id)
                   WHERE workspace_id = $1 AND ($2::uuid IS NULL OR repository_id = $2) AND deleting_at IS NULL
                     AND state IN ('indexed', 'completed', 'completed_with_errors')
               ) AS "exists!""#,
            workspace.as_uuid(),
            repository.map(RepositoryId::as_uuid)
        )
        .fetch_one(&self.pool)
        .await?)
    }
}

impl From<Found> for HitRow {
    fn from(found: Found) -> Self {
        Self {
            repository: RepositoryId::from_uuid(found.repository_id),
            run: RunId::from_uuid(found.run_id),
            path: found.path,
            language: found.language,
            category: found.category,
            kind: found.kind,
            scope: found.scope,
            symbol: found.symbol,
            start_line: found.start_line.unsigned_abs(),
            end_line: found.end_line.unsigned_abs(),
            content: found.content,
            defines: found.defines,
            score: found.score,
        }
    }
}
