//! Storing analysed batches, and asking whether all are in.

use std::collections::HashSet;

use caffeine_model::FileVersionId;
use sqlx::PgConnection;

use super::rows::FileVersionRow;
use crate::copy::{CopyRows, integer};
use crate::fan_in::{self, FanIn, StageFailure, WorkOf};
use crate::inbox::{InboxTable, done, rejected};
use crate::{Store, StoreError};

impl Store {
    /// Stores the analyses of a batch and that the batch is in. Of a file version that is already there, nothing is
    /// written: the first insert won.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn store_file_batch(
        &self,
        of: &WorkOf,
        analyser: &str,
        batch: u32,
        files: &[FileVersionRow],
    ) -> Result<FanIn, StoreError> {
        // Two transactions that insert in the same order cannot wait for each other in a circle.
        let mut sorted: Vec<&FileVersionRow> = files.iter().collect();
        sorted.sort_by_key(|file| file.id);
        let mut tx = self.pool.begin().await?;
        let won = insert_file_versions(&mut tx, of, analyser, &sorted).await?;
        sorted.retain(|file| won.contains(&file.id));
        insert_children(&mut tx, of, analyser, &sorted).await?;
        let fan_in = batch_is_in(&mut tx, of, batch, None).await?;
        done(&mut tx, InboxTable::Chunk, of.work, of.workspace, of.run).await?;
        tx.commit().await?;
        Ok(fan_in)
    }

    /// Stores that a batch will never be analysed. A batch that is in stays in.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn fail_file_batch(&self, of: &WorkOf, batch: u32, failure: &StageFailure) -> Result<FanIn, StoreError> {
        let mut tx = self.pool.begin().await?;
        let fan_in = batch_is_in(&mut tx, of, batch, Some(&failure.reason)).await?;
        rejected(&mut tx, InboxTable::Chunk, of.work, of.workspace, of.run, &failure.detail()).await?;
        tx.commit().await?;
        Ok(fan_in)
    }

    /// Stores how many batches the run has, or that its clone failed. The first word counts.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn store_files_listed(
        &self,
        of: &WorkOf,
        listed: Result<u32, &StageFailure>,
    ) -> Result<FanIn, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_run(&mut tx, of).await?;
        let batches = listed.ok().map(integer);
        let failure = listed.err();
        sqlx::query!(
            "UPDATE chunk_runs SET batches = $2, failure_code = $3, failure_reason = $4 \
             WHERE run_id = $1 AND batches IS NULL AND failure_code IS NULL",
            of.run.as_uuid(),
            batches,
            failure.map(|failure| failure.code.as_str()),
            failure.map(|failure| failure.reason.as_str())
        )
        .execute(&mut *tx)
        .await?;
        let fan_in = ask(&mut tx, of).await?;
        done(&mut tx, InboxTable::Chunk, of.work, of.workspace, of.run).await?;
        tx.commit().await?;
        Ok(fan_in)
    }

    /// Stores that the analysis of a run has failed for good: its list cannot be read, or it cannot be linked. A run
    /// that is linked stays so.
    ///
    /// # Errors
    /// If the database refuses, or the run is gone.
    pub async fn fail_analysis(&self, of: &WorkOf, failure: &StageFailure) -> Result<FanIn, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_run(&mut tx, of).await?;
        sqlx::query!(
            "UPDATE chunk_runs SET failure_code = $2, failure_reason = $3 \
             WHERE run_id = $1 AND failure_code IS NULL AND linked_at IS NULL",
            of.run.as_uuid(),
            failure.code,
            failure.reason
        )
        .execute(&mut *tx)
        .await?;
        let fan_in = ask(&mut tx, of).await?;
        rejected(&mut tx, InboxTable::Chunk, of.work, of.workspace, of.run, &failure.detail()).await?;
        tx.commit().await?;
        Ok(fan_in)
    }
}

/// Inserts the rows that are not there yet and says which those were.
async fn insert_file_versions(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    files: &[&FileVersionRow],
) -> Result<HashSet<FileVersionId>, StoreError> {
    let ids: Vec<_> = files.iter().map(|file| file.id.as_uuid()).collect();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str().to_owned()).collect();
    let oids: Vec<_> = files.iter().map(|file| file.oid.as_bytes().to_vec()).collect();
    let languages: Vec<_> = files.iter().map(|file| file.language.clone()).collect();
    let categories: Vec<_> = files.iter().map(|file| file.category.clone()).collect();
    let encodings: Vec<_> = files.iter().map(|file| file.encoding.clone()).collect();
    let lines: Vec<_> = files.iter().map(|file| integer(file.lines)).collect();
    let source_lines: Vec<_> = files.iter().map(|file| integer(file.source_lines)).collect();
    let qualities: Vec<_> = files.iter().map(|file| file.parse_quality.clone()).collect();
    let skips: Vec<_> = files.iter().map(|file| file.skip_reason.clone()).collect();
    let manifests: Vec<_> = files.iter().map(|file| file.manifest.clone()).collect();
    let texts: Vec<_> = files.iter().map(|file| file.text_zstd.clone()).collect();
    let inserted = sqlx::query_scalar!(
        "INSERT INTO file_versions (file_version_id, analyser, workspace_id, repository_id, path, oid, language, \
             category, encoding, lines, source_lines, parse_quality, skip_reason, manifest, text_zstd) \
         SELECT id, $1, $2, $3, path, oid, language, category, encoding, lines, source_lines, quality, skip, manifest, \
             content \
         FROM UNNEST($4::uuid[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::integer[], \
             $11::integer[], $12::text[], $13::text[], $14::jsonb[], $15::bytea[]) AS file (id, path, oid, language, \
             category, encoding, lines, source_lines, quality, skip, manifest, content) \
         ORDER BY id \
         ON CONFLICT DO NOTHING RETURNING file_version_id",
        analyser,
        of.workspace.as_uuid(),
        of.repository.as_uuid(),
        &ids,
        &paths,
        &oids,
        &languages,
        &categories,
        &encodings,
        &lines,
        &source_lines,
        &qualities,
        &skips as &[Option<String>],
        &manifests as &[Option<serde_json::Value>],
        &texts as &[Option<Vec<u8>>]
    )
    .fetch_all(tx)
    .await?;
    Ok(inserted.into_iter().map(FileVersionId::from_uuid).collect())
}

/// Writes symbols, imports and references of files whose row this transaction has inserted.
async fn insert_children(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    files: &[&FileVersionRow],
) -> Result<(), StoreError> {
    let workspace = of.workspace.as_uuid();
    let mut symbols = CopyRows::new(16);
    let mut imports = CopyRows::new(9);
    let mut refs = CopyRows::new(10);
    for file in files {
        let id = file.id.as_uuid();
        for symbol in &file.symbols {
            symbols
                .row()
                .uuid(id)
                .text(analyser)
                .integer(symbol.ordinal)
                .uuid(workspace)
                .integer_or_null(symbol.parent)
                .text(&symbol.kind)
                .text(&symbol.name)
                .text(&symbol.qualified)
                .text(&symbol.signature)
                .text(&symbol.doc)
                .text(&symbol.visibility)
                .boolean(symbol.exported)
                .integer(symbol.start_line)
                .integer(symbol.end_line)
                .integer(symbol.start_byte)
                .integer(symbol.end_byte);
        }
        for (ordinal, import) in (0..).zip(&file.imports) {
            imports
                .row()
                .uuid(id)
                .text(analyser)
                .integer(ordinal)
                .uuid(workspace)
                .text(&import.raw)
                .text(&import.module)
                .jsonb(&import.names)
                .text(&import.kind)
                .integer(import.line);
        }
        for (ordinal, mention) in (0..).zip(&file.refs) {
            refs.row()
                .uuid(id)
                .text(analyser)
                .integer(ordinal)
                .uuid(workspace)
                .text(&mention.name)
                .text_or_null(mention.receiver.as_deref())
                .text(&mention.kind)
                .integer_or_null(mention.enclosing)
                .integer(mention.line)
                .integer(mention.count);
        }
    }
    symbols
        .send(
            tx,
            "COPY symbols (file_version_id, analyser, ordinal, workspace_id, parent, kind, name, qualified, signature, \
             doc, visibility, exported, start_line, end_line, start_byte, end_byte) FROM STDIN (FORMAT binary)",
        )
        .await?;
    imports
        .send(
            tx,
            "COPY imports (file_version_id, analyser, ordinal, workspace_id, raw, module, names, kind, line) \
             FROM STDIN (FORMAT binary)",
        )
        .await?;
    refs.send(
        tx,
        "COPY refs (file_version_id, analyser, ordinal, workspace_id, name, receiver, kind, enclosing, line, count) \
         FROM STDIN (FORMAT binary)",
    )
    .await
}

/// Makes the run's row if it is missing, and locks it until the transaction ends.
pub(super) async fn lock_run(tx: &mut PgConnection, of: &WorkOf) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO chunk_runs (run_id, workspace_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        of.run.as_uuid(),
        of.workspace.as_uuid()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("SELECT run_id FROM chunk_runs WHERE run_id = $1 FOR UPDATE", of.run.as_uuid()).fetch_one(tx).await?;
    Ok(())
}

/// Locks the run, writes that the batch is in (analysed, or failed for the reason), and asks how far the run is.
async fn batch_is_in(
    tx: &mut PgConnection,
    of: &WorkOf,
    batch: u32,
    failed: Option<&str>,
) -> Result<FanIn, StoreError> {
    lock_run(tx, of).await?;
    // A success takes the place of a failure (a dead letter that was delivered again), never the other way round.
    sqlx::query!(
        "INSERT INTO file_batches AS stored (run_id, batch, workspace_id, failure_reason) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (run_id, batch) DO UPDATE SET failure_reason = NULL \
         WHERE stored.failure_reason IS NOT NULL AND $4::text IS NULL",
        of.run.as_uuid(),
        integer(batch),
        of.workspace.as_uuid(),
        failed
    )
    .execute(&mut *tx)
    .await?;
    ask(tx, of).await
}

/// How far the run is. The run's row is locked by an earlier statement.
async fn ask(tx: &mut PgConnection, of: &WorkOf) -> Result<FanIn, StoreError> {
    let row = sqlx::query!(
        r#"SELECT batches, failure_code, failure_reason, now() AS "asked_at!",
               (SELECT count(*) FROM file_batches
                WHERE file_batches.run_id = chunk_runs.run_id AND (batches IS NULL OR batch < batches)) AS "arrived!"
           FROM chunk_runs WHERE run_id = $1"#,
        of.run.as_uuid()
    )
    .fetch_one(tx)
    .await?;
    Ok(FanIn {
        batches: row.batches.map(fan_in::natural),
        arrived: fan_in::count(row.arrived),
        failure: fan_in::failure(row.failure_code, row.failure_reason),
        asked_at: row.asked_at,
    })
}
