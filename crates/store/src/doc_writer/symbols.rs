//! Symbols of a snapshot, a page's worth at a time.

use caffeine_model::{RunId, WorkspaceId};
use sqlx::PgConnection;

use super::{SymbolCountRow, count};
use crate::copy::integer;
use crate::{Store, StoreError};

/// The kinds of symbols that make up a public interface; members without a body of their own (fields, variants) are
/// shown with their type.
pub const API_KINDS: &[&str] = &[
    "class",
    "struct",
    "union",
    "enum",
    "interface",
    "trait",
    "function",
    "method",
    "constructor",
    "constant",
    "variable",
    "type_alias",
    "macro",
    "annotation",
    "namespace",
];

/// What belongs to a type and has no body of its own.
const MEMBER_KINDS: &[&str] = &["enum_member", "field", "property"];

/// Kinds that are no names of the program.
const NO_NAMES: &[&str] = &["heading", "impl"];

/// Something a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRow {
    /// The file.
    pub path: String,
    /// Slug of the file's module.
    pub module: String,
    /// The file's language.
    pub language: String,
    /// Position in the file.
    pub ordinal: u32,
    /// Position of the symbol it belongs to.
    pub parent: Option<u32>,
    /// What it is.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its name with those around it.
    pub qualified: String,
    /// Its declaration on one line.
    pub signature: String,
    /// First paragraph of its documentation.
    pub doc: String,
    /// Whether other files can reach it.
    pub exported: bool,
    /// First line.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
}

/// A row of one of the statements below.
macro_rules! symbol_rows {
    ($($argument:tt)*) => {
        sqlx::query!($($argument)*).map(|row| SymbolRow {
            path: row.path,
            module: row.module,
            language: row.language,
            ordinal: row.ordinal.unsigned_abs(),
            parent: row.parent.map(i32::unsigned_abs),
            kind: row.kind,
            name: row.name,
            qualified: row.qualified,
            signature: row.signature,
            doc: row.doc,
            exported: row.exported,
            start_line: row.start_line.unsigned_abs(),
            end_line: row.end_line.unsigned_abs(),
        })
    };
}

impl Store {
    /// How many symbols each module has, by module and first letter.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn symbol_counts(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
    ) -> Result<Vec<SymbolCountRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT m.module AS "module!", l.letter AS "letter!", count(*) FILTER (WHERE y.kind <> ALL($5)) AS symbols,
               count(*) FILTER (WHERE y.kind = ANY($5)) AS unnamed,
               count(*) FILTER (WHERE y.exported AND f.category = 'source' AND s.path !~ '(^|/)examples/' AND y.kind = ANY($4)) AS exported
               FROM snapshot_files s
               JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3
               JOIN symbols y ON y.file_version_id = s.file_version_id AND y.analyser = $3
               JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path
               CROSS JOIN LATERAL (SELECT CASE WHEN lower(left(y.name, 1)) COLLATE "C" BETWEEN 'a' AND 'z'
                   THEN lower(left(y.name, 1)) ELSE '_' END COLLATE "C" AS letter) l
               WHERE s.run_id = $1 AND s.workspace_id = $2
               GROUP BY m.module, l.letter ORDER BY m.module COLLATE "C", l.letter"#,
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            &words(API_KINDS),
            &words(NO_NAMES)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| SymbolCountRow {
                module: row.module,
                letter: row.letter,
                symbols: count(row.symbols),
                unnamed: count(row.unnamed),
                exported: count(row.exported),
            })
            .collect())
    }

    /// The public interface of some modules: by module, path and position, from `offset` on.
    ///
    /// Every module and every part of the list has a page, so this must not read what other modules declare: the fenced
    /// lateral join asks for the symbols file by file, whatever the database thinks of the tables' sizes.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn api_symbols(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        modules: &[String],
        offset: u32,
        limit: u32,
    ) -> Result<Vec<SymbolRow>, StoreError> {
        Ok(symbol_rows!(
            "SELECT s.path, m.module, f.language, y.ordinal, y.parent, y.kind, y.name, y.qualified, y.signature, y.doc, \
             y.exported, y.start_line, y.end_line FROM module_files m \
             JOIN snapshot_files s ON s.run_id = m.run_id AND s.path = m.path \
             JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3 \
             CROSS JOIN LATERAL (SELECT * FROM symbols z WHERE z.file_version_id = s.file_version_id AND z.analyser = $3 \
             AND z.exported AND z.kind = ANY($4) OFFSET 0) y \
             WHERE m.run_id = $1 AND m.workspace_id = $2 AND m.module = ANY($5) AND f.category = 'source' \
             AND s.path !~ '(^|/)examples/' \
             ORDER BY m.module COLLATE \"C\", s.path, y.ordinal OFFSET $6 LIMIT $7",
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            &words(API_KINDS),
            modules,
            i64::from(offset),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The variants and fields that other files can reach, of the types in these files: by path and position, at most
    /// `limit`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn api_members(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        paths: &[String],
        limit: u32,
    ) -> Result<Vec<SymbolRow>, StoreError> {
        Ok(symbol_rows!(
            "SELECT s.path, m.module, f.language, y.ordinal, y.parent, y.kind, y.name, y.qualified, y.signature, y.doc, \
             y.exported, y.start_line, y.end_line FROM snapshot_files s \
             JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3 \
             JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path \
             CROSS JOIN LATERAL (SELECT * FROM symbols z WHERE z.file_version_id = s.file_version_id AND z.analyser = $3 \
             AND z.exported AND z.parent IS NOT NULL AND z.kind = ANY($4) OFFSET 0) y \
             WHERE s.run_id = $1 AND s.workspace_id = $2 AND s.path = ANY($5) ORDER BY s.path, y.ordinal LIMIT $6",
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            &words(MEMBER_KINDS),
            paths,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The index of names, from `offset` on: by first letter (`_` for everything else, then `a` to `z`), name in lower
    /// case, name, path and position.
    ///
    /// Whoever asks first sorts the names of the whole snapshot; all others wait for that and read their range.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn symbol_index(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<SymbolRow>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if !has_positions(&mut transaction, run).await? {
            lock_positions(&mut transaction, run).await?;
            if !has_positions(&mut transaction, run).await? {
                insert_positions(&mut transaction, workspace, run, analyser).await?;
            }
        }
        let rows = symbol_rows!(
            r#"SELECT s.path, m.module, f.language, y.ordinal, y.parent, y.kind, y.name, y.qualified, '' AS "signature!",
               '' AS "doc!", y.exported, y.start_line, y.end_line FROM symbol_positions p
               JOIN snapshot_files s ON s.run_id = p.run_id AND s.file_version_id = p.file_version_id
               JOIN file_versions f ON f.file_version_id = p.file_version_id AND f.analyser = $3
               JOIN symbols y ON y.file_version_id = p.file_version_id AND y.analyser = $3 AND y.ordinal = p.ordinal
               JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path
               WHERE p.run_id = $1 AND p.workspace_id = $2 AND p.position >= $4 AND p.position < $5
               ORDER BY p.position"#,
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            integer(offset),
            integer(offset.saturating_add(limit))
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// What these files declare at their top, by path and position; at most `per_file` of each. The documentation of
    /// a file itself comes as its first symbol, of the kind `module`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn file_symbols(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        paths: &[String],
        per_file: u32,
    ) -> Result<Vec<SymbolRow>, StoreError> {
        Ok(symbol_rows!(
            "SELECT s.path, m.module, f.language, y.ordinal, y.parent, y.kind, y.name, y.qualified, y.signature, y.doc, \
             y.exported, y.start_line, y.end_line FROM snapshot_files s \
             JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3 \
             JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path \
             CROSS JOIN LATERAL (SELECT * FROM symbols z WHERE z.file_version_id = s.file_version_id AND z.analyser = $3 \
             AND z.parent IS NULL AND z.kind <> ALL($4) ORDER BY (z.kind <> 'module' OR z.ordinal > 0), NOT z.exported, z.ordinal \
             LIMIT $6) y \
             WHERE s.run_id = $1 AND s.workspace_id = $2 AND s.path = ANY($5) ORDER BY s.path, y.ordinal",
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            &words(NO_NAMES),
            paths,
            i64::from(per_file)
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

/// Held by whoever makes or removes the positions of a run.
pub(super) async fn lock_positions(connection: &mut PgConnection, run: RunId) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", format!("symbol_positions/{run}"))
        .execute(connection)
        .await?;
    Ok(())
}

async fn has_positions(connection: &mut PgConnection, run: RunId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM symbol_positions WHERE run_id = $1) AS "exists!""#,
        run.as_uuid()
    )
    .fetch_one(connection)
    .await?)
}

async fn insert_positions(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    analyser: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"INSERT INTO symbol_positions (run_id, position, workspace_id, file_version_id, ordinal)
           SELECT $1, row_number() OVER (ORDER BY l.letter, lower(y.name) COLLATE "C", y.name COLLATE "C", s.path,
               y.ordinal) - 1, $2, y.file_version_id, y.ordinal
           FROM snapshot_files s
           JOIN symbols y ON y.file_version_id = s.file_version_id AND y.analyser = $3
           JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path
           CROSS JOIN LATERAL (SELECT CASE WHEN lower(left(y.name, 1)) COLLATE "C" BETWEEN 'a' AND 'z'
               THEN lower(left(y.name, 1)) ELSE '_' END COLLATE "C" AS letter) l
           WHERE s.run_id = $1 AND s.workspace_id = $2 AND y.kind <> ALL($4)"#,
        run.as_uuid(),
        workspace.as_uuid(),
        analyser,
        &words(NO_NAMES)
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
