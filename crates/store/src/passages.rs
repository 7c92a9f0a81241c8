//! Passages of one snapshot for a question: dense and lexical neighbours, fused by rank.

use caffeine_model::{Oid, RunId, WorkspaceId};
use pgvector::HalfVector;

use crate::{Store, StoreError};

/// A question.
#[derive(Debug, Clone)]
pub struct PassageQuery {
    /// Its lexemes; letters and digits only.
    pub lexemes: Vec<String>,
    /// Its vector; `None` if the model knows no word of it.
    pub vector: Option<Vec<f32>>,
    /// How many passages to return at most.
    pub limit: u32,
}

/// A chunk of a file of the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageRow {
    /// The file.
    pub path: String,
    /// Its content.
    pub oid: Oid,
    /// Its language.
    pub language: String,
    /// First line of the chunk.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// The text.
    pub content: String,
}

macro_rules! passages {
    ($store:expr, $($argument:tt)*) => {
        sqlx::query!($($argument)*)
            .fetch_all(&$store.pool)
            .await?
            .into_iter()
            .map(|row| {
                Ok(PassageRow {
                    path: row.path,
                    oid: Oid::from_bytes(&row.oid).map_err(|error| StoreError::corrupt("oid", error))?,
                    language: row.language,
                    start_line: row.start_line.unsigned_abs(),
                    end_line: row.end_line.unsigned_abs(),
                    content: row.content,
                })
            })
            .collect()
    };
}

impl Store {
    /// The passages of a snapshot that answer a question best, best first. A file of the program counts twice as much
    /// as any other.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn passages_for(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        model: &str,
        query: &PassageQuery,
    ) -> Result<Vec<PassageRow>, StoreError> {
        // Lexemes are letters and digits only, so the query needs no quoting.
        let words = query.lexemes.join(" | ");
        let vector = query.vector.as_deref().map(HalfVector::from_f32_slice);
        passages!(
            self,
            r#"WITH c AS MATERIALIZED (
                 SELECT k.file_version_id, k.ordinal, s.path, s.oid, k.embedding, k.lexemes,
                   CASE WHEN f.category = 'source' THEN 1.0 ELSE 0.5 END AS weight
                 FROM snapshot_files s
                 JOIN chunks k ON k.file_version_id = s.file_version_id AND k.analyser = $3 AND k.model = $4
                 JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3
                 WHERE s.run_id = $1 AND s.workspace_id = $2),
               d AS MATERIALIZED (
                 SELECT file_version_id, ordinal, row_number() OVER (ORDER BY distance, path, ordinal) AS r FROM (
                   SELECT file_version_id, ordinal, path, embedding <=> $5::halfvec AS distance FROM c
                   WHERE embedding IS NOT NULL AND $5::halfvec IS NOT NULL
                   ORDER BY distance, path, ordinal LIMIT 300) n),
               l AS MATERIALIZED (
                 SELECT file_version_id, ordinal, row_number() OVER (ORDER BY score DESC, path, ordinal) AS r FROM (
                   SELECT file_version_id, ordinal, path, ts_rank(lexemes, $6::text::tsquery, 1) AS score FROM c
                   WHERE $6 <> '' AND lexemes @@ $6::text::tsquery
                   ORDER BY score DESC, path, ordinal LIMIT 300) n)
               SELECT c.path AS "path!", c.oid AS "oid!", k.language, k.start_line, k.end_line, k.content
               FROM d FULL JOIN l USING (file_version_id, ordinal)
               JOIN c USING (file_version_id, ordinal)
               JOIN chunks k ON k.file_version_id = c.file_version_id AND k.ordinal = c.ordinal
                 AND k.analyser = $3 AND k.model = $4
               ORDER BY c.weight * (coalesce(2.0 / (60 + d.r), 0) + coalesce(1.0 / (60 + l.r), 0)) DESC, c.path, c.ordinal
               LIMIT $7"#,
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            model,
            vector as Option<HalfVector>,
            words,
            i64::from(query.limit)
        )
    }

    /// The beginnings of the most important files of the program, most important first: what to show when the question
    /// finds too little.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn leading_passages(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        model: &str,
        limit: u32,
    ) -> Result<Vec<PassageRow>, StoreError> {
        passages!(
            self,
            "SELECT s.path, s.oid, k.language, k.start_line, k.end_line, k.content FROM snapshot_files s \
             JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path \
             JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3 \
             JOIN chunks k ON k.file_version_id = s.file_version_id AND k.analyser = $3 AND k.model = $4 \
             WHERE s.run_id = $1 AND s.workspace_id = $2 AND f.category = 'source' AND k.ordinal < 3 \
             ORDER BY m.rank DESC, s.path, k.ordinal LIMIT $5",
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            model,
            i64::from(limit)
        )
    }
}
