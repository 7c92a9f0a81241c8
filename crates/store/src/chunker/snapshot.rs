//! Reading the analyses of a whole snapshot.

use futures::TryStreamExt;
use sqlx::PgConnection;

use super::rows::{ImportRow, RefRow, SymbolRow};
use crate::StoreError;
use crate::fan_in::{WorkOf, natural};

/// What linking reads of one file of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotFile {
    /// Its path.
    pub path: String,
    /// The language's word.
    pub language: String,
    /// What the file is for.
    pub category: String,
    /// Of a package manifest, what it says.
    pub manifest: Option<serde_json::Value>,
    /// What it declares.
    pub symbols: Vec<SymbolRow>,
    /// What it imports.
    pub imports: Vec<ImportRow>,
    /// What it mentions.
    pub refs: Vec<RefRow>,
}

/// Reads the files with as many kinds of rows as there is room for.
pub(super) async fn read_snapshot(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    max_rows: u32,
) -> Result<Vec<SnapshotFile>, StoreError> {
    let room = max_rows as usize;
    let mut files = read_files(tx, of, analyser).await?;
    let mut left_out = None;
    let imports = read_imports(tx, of, analyser, room, &mut files).await?;
    if imports.is_none() {
        left_out = Some("imports");
        files.iter_mut().for_each(|file| file.imports = Vec::new());
    }
    let room = room - imports.unwrap_or_default();
    let symbols = read_symbols(tx, of, analyser, room, &mut files).await?;
    if symbols.is_none() {
        left_out = Some("symbols");
        files.iter_mut().for_each(|file| file.symbols = Vec::new());
    }
    let room = room - symbols.unwrap_or_default();
    // A reference without symbols leads nowhere.
    if symbols.is_some() && read_refs(tx, of, analyser, room, &mut files).await?.is_none() {
        left_out = Some("references");
        files.iter_mut().for_each(|file| file.refs = Vec::new());
    }
    if let Some(kind) = left_out {
        tracing::warn!(run_id = %of.run, max_rows, kind, "snapshot is too large to link everything");
    }
    Ok(files)
}

async fn read_files(tx: &mut PgConnection, of: &WorkOf, analyser: &str) -> Result<Vec<SnapshotFile>, StoreError> {
    let rows = sqlx::query!(
        "SELECT listed.path, language, category, manifest \
         FROM snapshot_files AS listed JOIN file_versions USING (file_version_id) \
         WHERE run_id = $1 AND listed.workspace_id = $2 AND analyser = $3 ORDER BY listed.path",
        of.run.as_uuid(),
        of.workspace.as_uuid(),
        analyser
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SnapshotFile {
            path: row.path,
            language: row.language,
            category: row.category,
            manifest: row.manifest,
            symbols: Vec::new(),
            imports: Vec::new(),
            refs: Vec::new(),
        })
        .collect())
}

/// Walks along the files with rows that come in the same order.
struct Cursor<'a> {
    files: std::slice::IterMut<'a, SnapshotFile>,
    at: Option<&'a mut SnapshotFile>,
}

impl<'a> Cursor<'a> {
    fn new(files: &'a mut [SnapshotFile]) -> Self {
        Self { files: files.iter_mut(), at: None }
    }

    /// The file with this path. A row whose file version is not among the files has none.
    fn seek(&mut self, path: &str) -> Option<&mut SnapshotFile> {
        while self.at.as_ref().is_none_or(|file| file.path.as_str() < path) {
            self.at = Some(self.files.next()?);
        }
        self.at.as_deref_mut().filter(|file| file.path == path)
    }
}

/// Reads the symbols, unless there are more than `room`; says how many there are.
async fn read_symbols(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    room: usize,
    files: &mut [SnapshotFile],
) -> Result<Option<usize>, StoreError> {
    let mut cursor = Cursor::new(files);
    let mut read = 0;
    let mut rows = sqlx::query!(
        "SELECT path, ordinal, parent, kind, name, qualified, signature, doc, visibility, exported, start_line, \
             end_line, start_byte, end_byte \
         FROM snapshot_files AS listed JOIN symbols USING (file_version_id) \
         WHERE run_id = $1 AND listed.workspace_id = $2 AND analyser = $3 ORDER BY path, ordinal",
        of.run.as_uuid(),
        of.workspace.as_uuid(),
        analyser
    )
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        read += 1;
        if read > room {
            return Ok(None);
        }
        if let Some(file) = cursor.seek(&row.path) {
            file.symbols.push(SymbolRow {
                ordinal: natural(row.ordinal),
                parent: row.parent.map(natural),
                kind: row.kind,
                name: row.name,
                qualified: row.qualified,
                signature: row.signature,
                doc: row.doc,
                visibility: row.visibility,
                exported: row.exported,
                start_line: natural(row.start_line),
                end_line: natural(row.end_line),
                start_byte: natural(row.start_byte),
                end_byte: natural(row.end_byte),
            });
        }
    }
    Ok(Some(read))
}

/// Reads the imports, unless there are more than `room`; says how many there are.
async fn read_imports(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    room: usize,
    files: &mut [SnapshotFile],
) -> Result<Option<usize>, StoreError> {
    let mut cursor = Cursor::new(files);
    let mut read = 0;
    let mut rows = sqlx::query!(
        "SELECT path, raw, module, names, kind, line \
         FROM snapshot_files AS listed JOIN imports USING (file_version_id) \
         WHERE run_id = $1 AND listed.workspace_id = $2 AND analyser = $3 ORDER BY path, ordinal",
        of.run.as_uuid(),
        of.workspace.as_uuid(),
        analyser
    )
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        read += 1;
        if read > room {
            return Ok(None);
        }
        if let Some(file) = cursor.seek(&row.path) {
            file.imports.push(ImportRow {
                raw: row.raw,
                module: row.module,
                names: row.names,
                kind: row.kind,
                line: natural(row.line),
            });
        }
    }
    Ok(Some(read))
}

/// Reads the references, unless there are more than `room`; says how many there are.
async fn read_refs(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    room: usize,
    files: &mut [SnapshotFile],
) -> Result<Option<usize>, StoreError> {
    let mut cursor = Cursor::new(files);
    let mut read = 0;
    let mut rows = sqlx::query!(
        "SELECT path, name, receiver, kind, enclosing, line, count \
         FROM snapshot_files AS listed JOIN refs USING (file_version_id) \
         WHERE run_id = $1 AND listed.workspace_id = $2 AND analyser = $3 ORDER BY path, ordinal",
        of.run.as_uuid(),
        of.workspace.as_uuid(),
        analyser
    )
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        read += 1;
        if read > room {
            return Ok(None);
        }
        if let Some(file) = cursor.seek(&row.path) {
            file.refs.push(RefRow {
                name: row.name,
                receiver: row.receiver,
                kind: row.kind,
                enclosing: row.enclosing.map(natural),
                line: natural(row.line),
                count: natural(row.count),
            });
        }
    }
    Ok(Some(read))
}
