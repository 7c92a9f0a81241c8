//! Search over the latest indexed snapshots: dense and lexical candidates, fused by reciprocal rank.

use caffeine_model::{RepositoryId, RunId, WorkspaceId};
use uuid::Uuid;

use crate::{Store, StoreError};

/// What is looked for, and where.
#[derive(Debug, Clone)]
pub struct SearchQuery<'a> {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// One repository, or all of them.
    pub repository: Option<RepositoryId>,
    /// Vector of the question; `None` if no word of it is known to the model.
    pub vector: Option<&'a [f32]>,
    /// Words of the question, of letters and digits only.
    pub lexemes: &'a [String],
    /// How many hits.
    pub limit: i64,
}

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
    /// The higher the better; comparable within one answer only.
    pub score: f64,
}

struct Raw {
    repository_id: Uuid,
    run_id: Uuid,
    path: String,
    language: String,
    kind: String,
    scope: String,
    symbol: String,
    start_line: i32,
    end_line: i32,
    content: String,
    score: f64,
}

impl Store {
    /// The best chunks for a question, the best first. Vectors have length 1, so the inner product orders like the
    /// cosine. Ranks count from 1 in each list of 50; the dense list weighs twice (k = 60).
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn search(&self, query: &SearchQuery<'_>) -> Result<Vec<HitRow>, StoreError> {
        // Quoted, so that no character of a lexeme is an operator.
        let words: Vec<String> =
            query.lexemes.iter().map(|lexeme| format!("'{}'", lexeme.replace(['\'', '\\'], ""))).collect();
        let words = words.join(" | ");
        let rows = sqlx::query_as!(
            Raw,
            r#"WITH latest AS MATERIALIZED (
                   SELECT DISTINCT ON (repository_id) repository_id, run_id, analyser, embedding_model
                   FROM runs JOIN repositories USING (repository_id, workspace_id)
                   WHERE workspace_id = $1 AND ($2::uuid IS NULL OR repository_id = $2) AND deleting_at IS NULL
                     AND state IN ('indexed', 'completed', 'completed_with_errors')
                   ORDER BY repository_id, runs.created_at DESC, run_id DESC
               ),
               visible AS MATERIALIZED (
                   SELECT s.file_version_id, l.analyser, l.embedding_model, l.run_id
                   FROM latest l JOIN snapshot_files s USING (run_id)
                   WHERE s.skip_reason IS NULL
               ),
               dense AS MATERIALIZED (
                   SELECT file_version_id, ordinal,
                          row_number() OVER (ORDER BY distance, path, ordinal) AS rank
                   FROM (
                       SELECT c.file_version_id, c.ordinal, c.path,
                              c.embedding <#> $3::real[]::halfvec(256) AS distance
                       FROM chunks c
                       JOIN visible v ON v.file_version_id = c.file_version_id AND v.analyser = c.analyser
                                     AND v.embedding_model = c.model
                       WHERE $3::real[] IS NOT NULL AND c.embedding IS NOT NULL
                       ORDER BY distance, c.path, c.ordinal LIMIT 50
                   ) nearest
               ),
               lexical AS MATERIALIZED (
                   SELECT file_version_id, ordinal,
                          row_number() OVER (ORDER BY weight DESC, path, ordinal) AS rank
                   FROM (
                       SELECT c.file_version_id, c.ordinal, c.path,
                              ts_rank(c.lexemes, $4::text::tsquery, 1) AS weight
                       FROM chunks c
                       JOIN visible v ON v.file_version_id = c.file_version_id AND v.analyser = c.analyser
                                     AND v.embedding_model = c.model
                       WHERE $4::text <> '' AND c.lexemes @@ $4::text::tsquery
                       ORDER BY weight DESC, c.path, c.ordinal LIMIT 50
                   ) matching
               ),
               fused AS (
                   SELECT file_version_id, ordinal,
                          coalesce(2.0 / (60 + d.rank), 0) + coalesce(1.0 / (60 + l.rank), 0) AS score
                   FROM dense d FULL JOIN lexical l USING (file_version_id, ordinal)
               )
               SELECT c.repository_id AS "repository_id!", v.run_id AS "run_id!", c.path AS "path!",
                      c.language AS "language!", c.kind AS "kind!", c.scope AS "scope!", c.symbol AS "symbol!",
                      c.start_line AS "start_line!", c.end_line AS "end_line!", c.content AS "content!",
                      f.score::float8 AS "score!"
               FROM fused f
               JOIN visible v USING (file_version_id)
               JOIN chunks c ON c.file_version_id = f.file_version_id AND c.ordinal = f.ordinal
                            AND c.analyser = v.analyser AND c.model = v.embedding_model
               ORDER BY f.score DESC, c.path, c.ordinal
               LIMIT $5"#,
            query.workspace.as_uuid(),
            query.repository.map(RepositoryId::as_uuid),
            query.vector as Option<&[f32]>,
            words,
            query.limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| HitRow {
                repository: RepositoryId::from_uuid(row.repository_id),
                run: RunId::from_uuid(row.run_id),
                path: row.path,
                language: row.language,
                kind: row.kind,
                scope: row.scope,
                symbol: row.symbol,
                start_line: row.start_line.unsigned_abs(),
                end_line: row.end_line.unsigned_abs(),
                content: row.content,
                score: row.score,
            })
            .collect())
    }
}
