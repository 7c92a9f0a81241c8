//! What the embedder writes: chunks with their vectors, and the fan-in of their batches.

use std::collections::HashSet;

use caffeine_model::{FileVersionId, RepoPath};
use chrono::{DateTime, Utc};
use half::f16;
use sqlx::PgConnection;

use crate::copy::{CopyRows, integer};
use crate::fan_in::{self, FanIn, StageFailure, WorkOf};
use crate::inbox::{InboxTable, done, rejected};
use crate::{Store, StoreError};

/// A file version with its chunks; a file without any is embedded too.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedFile {
    /// Which file version.
    pub id: FileVersionId,
    /// Its path.
    pub path: RepoPath,
    /// The language's word.
    pub language: String,
    /// In order; the ordinal is the place in the list.
    pub chunks: Vec<ChunkRow>,
}

/// A piece of a file that is found as one.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkRow {
    /// code, prose, config or text.
    pub kind: String,
    /// Where it stands in the file.
    pub scope: String,
    /// The symbol it belongs to; may be empty.
    pub symbol: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// Its text.
    pub content: String,
    /// Its words for the lexical index, distinct.
    pub lexemes: Vec<String>,
    /// Its vector; absent if the model knows none of its words.
    pub embedding: Option<Vec<f16>>,
}

/// What the index of a run amounts to, once every batch is in; counted from its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// Chunks of the snapshot.
    pub chunks: u32,
    /// Batches that could not be embedded.
    pub failed_batches: u32,
    /// When the last batch came in; the same on every repeat.
    pub indexed_at: DateTime<Utc>,
}

/// How far the batches of a run are in, and the result if all are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// How far.
    pub fan_in: FanIn,
    /// Set if it is complete.
    pub indexed: Option<Indexed>,
}

/// By which analyser and model a run's chunks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexVersion<'a> {
    /// Version of the analyser.
    pub analyser: &'a str,
    /// Name of the embedding model.
    pub model: &'a str,
}

impl Store {
    /// How many components the schema gives a vector.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn embedding_dimensions(&self) -> Result<usize, StoreError> {
        let dimensions = sqlx::query_scalar!(
            r#"SELECT atttypmod AS "dimensions!" FROM pg_attribute
               WHERE attrelid = 'chunks'::regclass AND attname = 'embedding'"#
        )
        .fetch_one(&self.pool)
        .await?;
        usize::try_from(dimensions).map_err(|error| StoreError::corrupt("embedding", error))
    }

    /// Stores the chunks of a batch and that the batch is in. Of a file version that is already there, nothing is
    /// written: the first insert won.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn store_chunk_batch(
        &self,
        of: &WorkOf,
        version: IndexVersion<'_>,
        batch: u32,
        files: &[EmbeddedFile],
    ) -> Result<IndexState, StoreError> {
        // Two transactions that insert in the same order cannot wait for each other in a circle.
        let mut sorted: Vec<&EmbeddedFile> = files.iter().collect();
        sorted.sort_by_key(|file| file.id);
        let mut tx = self.pool.begin().await?;
        let won = insert_versions(&mut tx, of, version, &sorted).await?;
        sorted.retain(|file| won.contains(&file.id));
        insert_chunks(&mut tx, of, version, &sorted).await?;
        let state = batch_is_in(&mut tx, of, version, batch, None).await?;
        done(&mut tx, InboxTable::Embed, of.work, of.workspace, of.run).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Stores that the stage before could not make this batch: the work is done, the batch is not. A batch that is in
    /// stays in.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn skip_chunk_batch(
        &self,
        of: &WorkOf,
        version: IndexVersion<'_>,
        batch: u32,
        reason: &str,
    ) -> Result<IndexState, StoreError> {
        let mut tx = self.pool.begin().await?;
        let state = batch_is_in(&mut tx, of, version, batch, Some(reason)).await?;
        done(&mut tx, InboxTable::Embed, of.work, of.workspace, of.run).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Stores that a batch will never be embedded. A batch that is in stays in.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn fail_chunk_batch(
        &self,
        of: &WorkOf,
        version: IndexVersion<'_>,
        batch: u32,
        failure: &StageFailure,
    ) -> Result<IndexState, StoreError> {
        let mut tx = self.pool.begin().await?;
        let state = batch_is_in(&mut tx, of, version, batch, Some(&failure.reason)).await?;
        rejected(&mut tx, InboxTable::Embed, of.work, of.workspace, of.run, &failure.detail()).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Stores how many batches the run has, or that its clone failed. The first word counts.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn store_chunks_listed(
        &self,
        of: &WorkOf,
        version: IndexVersion<'_>,
        listed: Result<u32, &StageFailure>,
    ) -> Result<IndexState, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_run(&mut tx, of).await?;
        let batches = listed.ok().map(integer);
        let failure = listed.err();
        sqlx::query!(
            "UPDATE embed_runs SET batches = $2, failure_code = $3, failure_reason = $4 \
             WHERE run_id = $1 AND batches IS NULL AND failure_code IS NULL",
            of.run.as_uuid(),
            batches,
            failure.map(|failure| failure.code.as_str()),
            failure.map(|failure| failure.reason.as_str())
        )
        .execute(&mut *tx)
        .await?;
        let state = ask(&mut tx, of, version).await?;
        done(&mut tx, InboxTable::Embed, of.work, of.workspace, of.run).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Stores that the index of a run has failed for good: its list cannot be read. A run that is indexed stays so.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn fail_index(
        &self,
        of: &WorkOf,
        version: IndexVersion<'_>,
        failure: &StageFailure,
    ) -> Result<IndexState, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_run(&mut tx, of).await?;
        sqlx::query!(
            "UPDATE embed_runs SET failure_code = $2, failure_reason = $3 \
             WHERE run_id = $1 AND failure_code IS NULL AND indexed_at IS NULL",
            of.run.as_uuid(),
            failure.code,
            failure.reason
        )
        .execute(&mut *tx)
        .await?;
        let state = ask(&mut tx, of, version).await?;
        rejected(&mut tx, InboxTable::Embed, of.work, of.workspace, of.run, &failure.detail()).await?;
        tx.commit().await?;
        Ok(state)
    }
}

/// Inserts the rows that are not there yet and says which those were.
async fn insert_versions(
    tx: &mut PgConnection,
    of: &WorkOf,
    version: IndexVersion<'_>,
    files: &[&EmbeddedFile],
) -> Result<HashSet<FileVersionId>, StoreError> {
    let ids: Vec<_> = files.iter().map(|file| file.id.as_uuid()).collect();
    let counts: Vec<_> = files.iter().map(|file| i32::try_from(file.chunks.len()).unwrap_or(i32::MAX)).collect();
    let inserted = sqlx::query_scalar!(
        "INSERT INTO embedded_versions (file_version_id, analyser, model, workspace_id, repository_id, chunks) \
         SELECT id, $1, $2, $3, $4, chunks FROM UNNEST($5::uuid[], $6::integer[]) AS file (id, chunks) ORDER BY id \
         ON CONFLICT DO NOTHING RETURNING file_version_id",
        version.analyser,
        version.model,
        of.workspace.as_uuid(),
        of.repository.as_uuid(),
        &ids,
        &counts
    )
    .fetch_all(tx)
    .await?;
    Ok(inserted.into_iter().map(FileVersionId::from_uuid).collect())
}

/// Writes the chunks of files whose row this transaction has inserted.
async fn insert_chunks(
    tx: &mut PgConnection,
    of: &WorkOf,
    version: IndexVersion<'_>,
    files: &[&EmbeddedFile],
) -> Result<(), StoreError> {
    let mut chunks = CopyRows::new(16);
    for file in files {
        for (ordinal, chunk) in (0..).zip(&file.chunks) {
            chunks
                .row()
                .uuid(file.id.as_uuid())
                .text(version.analyser)
                .text(version.model)
                .integer(ordinal)
                .uuid(of.workspace.as_uuid())
                .uuid(of.repository.as_uuid())
                .text(file.path.as_str())
                .text(&file.language)
                .text(&chunk.kind)
                .text(&chunk.scope)
                .text(&chunk.symbol)
                .integer(chunk.start_line)
                .integer(chunk.end_line)
                .text(&chunk.content)
                .tsvector(&chunk.lexemes)
                .halfvec_or_null(chunk.embedding.as_deref());
        }
    }
    chunks
        .send(
            tx,
            "COPY chunks (file_version_id, analyser, model, ordinal, workspace_id, repository_id, path, language, kind, \
             scope, symbol, start_line, end_line, content, lexemes, embedding) FROM STDIN (FORMAT binary)",
        )
        .await
}

/// Makes the run's row if it is missing, and locks it until the transaction ends.
async fn lock_run(tx: &mut PgConnection, of: &WorkOf) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO embed_runs (run_id, workspace_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        of.run.as_uuid(),
        of.workspace.as_uuid()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("SELECT run_id FROM embed_runs WHERE run_id = $1 FOR UPDATE", of.run.as_uuid()).fetch_one(tx).await?;
    Ok(())
}

/// Locks the run, writes that the batch is in (embedded, or failed for the reason), and asks how far the run is.
async fn batch_is_in(
    tx: &mut PgConnection,
    of: &WorkOf,
    version: IndexVersion<'_>,
    batch: u32,
    failed: Option<&str>,
) -> Result<IndexState, StoreError> {
    lock_run(tx, of).await?;
    // A success takes the place of a failure (a dead letter that was delivered again), never the other way round.
    sqlx::query!(
        "INSERT INTO chunk_batches AS stored (run_id, batch, workspace_id, failure_reason) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (run_id, batch) DO UPDATE SET failure_reason = NULL \
         WHERE stored.failure_reason IS NOT NULL AND $4::text IS NULL",
        of.run.as_uuid(),
        integer(batch),
        of.workspace.as_uuid(),
        failed
    )
    .execute(&mut *tx)
    .await?;
    ask(tx, of, version).await
}

/// How far the run is, and its result if it is complete. The run's row is locked by an earlier statement.
async fn ask(tx: &mut PgConnection, of: &WorkOf, version: IndexVersion<'_>) -> Result<IndexState, StoreError> {
    let row = sqlx::query!(
        r#"SELECT batches, failure_code, failure_reason, now() AS "asked_at!",
               (SELECT count(*) FROM chunk_batches
                WHERE chunk_batches.run_id = embed_runs.run_id AND (batches IS NULL OR batch < batches)) AS "arrived!"
           FROM embed_runs WHERE run_id = $1"#,
        of.run.as_uuid()
    )
    .fetch_one(&mut *tx)
    .await?;
    let fan_in = FanIn {
        batches: row.batches.map(fan_in::natural),
        arrived: fan_in::count(row.arrived),
        failure: fan_in::failure(row.failure_code, row.failure_reason),
        asked_at: row.asked_at,
    };
    let indexed = if fan_in.is_complete() { Some(complete(tx, of, version).await?) } else { None };
    Ok(IndexState { fan_in, indexed })
}

/// Remembers when the run became complete, and counts what it has.
async fn complete(tx: &mut PgConnection, of: &WorkOf, version: IndexVersion<'_>) -> Result<Indexed, StoreError> {
    let indexed_at = sqlx::query_scalar!(
        r#"UPDATE embed_runs SET indexed_at = coalesce(indexed_at, now()) WHERE run_id = $1
           RETURNING indexed_at AS "indexed_at!""#,
        of.run.as_uuid()
    )
    .fetch_one(&mut *tx)
    .await?;
    let counts = sqlx::query!(
        r#"SELECT
               (SELECT coalesce(sum(chunks), 0) FROM snapshot_files JOIN embedded_versions USING (file_version_id)
                WHERE run_id = $1 AND analyser = $2 AND model = $3) AS "chunks!",
               (SELECT count(*) FROM chunk_batches WHERE run_id = $1 AND failure_reason IS NOT NULL)
                   AS "failed_batches!""#,
        of.run.as_uuid(),
        version.analyser,
        version.model
    )
    .fetch_one(tx)
    .await?;
    Ok(Indexed {
        chunks: fan_in::count(counts.chunks),
        failed_batches: fan_in::count(counts.failed_batches),
        indexed_at,
    })
}
