//! Reading the analyses of a whole snapshot: what linking holds, then what it only looks at once.

use std::collections::HashMap;

use sqlx::PgConnection;
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use super::rows::RefRow;
use crate::StoreError;
use crate::fan_in::{WorkOf, natural};

/// How many files are read at a time.
const GROUP: usize = 100;

/// What linking holds of one file of a snapshot.
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
    /// What it declares, by ordinal.
    pub symbols: Vec<SnapshotSymbol>,
    /// What it imports.
    pub imports: Vec<SnapshotImport>,
    /// What it mentions as bases of its symbols.
    pub bases: Vec<RefRow>,
}

/// What linking holds of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSymbol {
    /// Ordinal of the symbol around it.
    pub parent: Option<u32>,
    /// What it is.
    pub kind: String,
    /// Its own name.
    pub name: String,
    /// Of methods and modules their name with those around it; of others nothing.
    pub qualified: String,
    /// Whether it stands for the file itself.
    pub is_file: bool,
}

/// What linking holds of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotImport {
    /// What is imported from.
    pub module: String,
    /// `[{"name": …, "alias": …}]`
    pub names: serde_json::Value,
    /// What kind of statement it is.
    pub kind: String,
    /// Its line, from 1.
    pub line: u32,
}

/// What one file of a snapshot mentions, bases included.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRefs {
    /// The file.
    pub path: String,
    /// In the order of the file.
    pub refs: Vec<RefRow>,
}

/// A file before its rows are read.
struct Listed {
    version: Uuid,
    file: SnapshotFile,
}

/// The kinds of rows there is room for.
struct Fitting {
    imports: bool,
    symbols: bool,
    refs: bool,
}

/// Sends the files, then what they mention, each in order of path. Only a group of files is in memory at a time; who
/// receives slowly is waited for. Ends early if nobody receives any more.
pub(super) async fn send_snapshot(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    max_rows: u32,
    files: Sender<SnapshotFile>,
    refs: Sender<SnapshotRefs>,
) -> Result<(), StoreError> {
    let listed = list(tx, of, analyser).await?;
    let versions: Vec<Uuid> = listed.iter().map(|listed| listed.version).collect();
    let fitting = fitting(tx, of, analyser, max_rows, &versions).await?;
    let mut paths = Vec::with_capacity(listed.len());
    let mut listed = listed.into_iter();
    for group in versions.chunks(GROUP) {
        let mut symbols = if fitting.symbols { read_symbols(tx, analyser, group).await? } else { HashMap::new() };
        let mut imports = if fitting.imports { read_imports(tx, analyser, group).await? } else { HashMap::new() };
        let mut bases = if fitting.refs { read_refs(tx, analyser, group, true).await? } else { HashMap::new() };
        for Listed { version, mut file } in listed.by_ref().take(group.len()) {
            file.symbols = symbols.remove(&version).unwrap_or_default();
            file.imports = imports.remove(&version).unwrap_or_default();
            file.bases = bases.remove(&version).unwrap_or_default();
            paths.push(file.path.clone());
            if files.send(file).await.is_err() {
                return Ok(());
            }
        }
    }
    drop(files);
    if !fitting.refs {
        return Ok(());
    }
    let mut paths = paths.into_iter();
    for group in versions.chunks(GROUP) {
        let mut read = read_refs(tx, analyser, group, false).await?;
        for (version, path) in group.iter().zip(paths.by_ref()) {
            let Some(of_file) = read.remove(version) else { continue };
            if refs.send(SnapshotRefs { path, refs: of_file }).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn list(tx: &mut PgConnection, of: &WorkOf, analyser: &str) -> Result<Vec<Listed>, StoreError> {
    let rows = sqlx::query!(
        "SELECT file_version_id, listed.path, language, category, manifest \
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
        .map(|row| Listed {
            version: row.file_version_id,
            file: SnapshotFile {
                path: row.path,
                language: row.language,
                category: row.category,
                manifest: row.manifest,
                symbols: Vec::new(),
                imports: Vec::new(),
                bases: Vec::new(),
            },
        })
        .collect())
}

/// Counts imports, symbols and references, in this order, as long as there is room for all of a kind.
async fn fitting(
    tx: &mut PgConnection,
    of: &WorkOf,
    analyser: &str,
    max_rows: u32,
    versions: &[Uuid],
) -> Result<Fitting, StoreError> {
    let (mut imports, mut symbols, mut refs) = (0, 0, 0);
    for group in versions.chunks(GROUP) {
        let row = sqlx::query!(
            r#"SELECT
                   (SELECT count(*) FROM imports WHERE file_version_id = ANY($1) AND analyser = $2) AS "imports!",
                   (SELECT count(*) FROM symbols WHERE file_version_id = ANY($1) AND analyser = $2) AS "symbols!",
                   (SELECT count(*) FROM refs WHERE file_version_id = ANY($1) AND analyser = $2) AS "refs!""#,
            group,
            analyser
        )
        .fetch_one(&mut *tx)
        .await?;
        imports += row.imports;
        symbols += row.symbols;
        refs += row.refs;
    }
    let room = i64::from(max_rows);
    let has_imports = imports <= room;
    let room = if has_imports { room - imports } else { room };
    let has_symbols = symbols <= room;
    // A reference without symbols leads nowhere.
    let has_refs = has_symbols && refs <= room - symbols;
    if !(has_imports && has_symbols && has_refs) {
        tracing::warn!(run_id = %of.run, max_rows, imports, symbols, refs, "snapshot is too large to link everything");
    }
    Ok(Fitting { imports: has_imports, symbols: has_symbols, refs: has_refs })
}

async fn read_symbols(
    tx: &mut PgConnection,
    analyser: &str,
    versions: &[Uuid],
) -> Result<HashMap<Uuid, Vec<SnapshotSymbol>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT file_version_id, parent, kind, name, (kind = 'module' AND signature = '') AS "is_file!",
               CASE WHEN kind IN ('method', 'module') THEN qualified ELSE '' END AS "qualified!"
           FROM symbols WHERE file_version_id = ANY($1) AND analyser = $2 ORDER BY file_version_id, ordinal"#,
        versions,
        analyser
    )
    .fetch_all(tx)
    .await?;
    Ok(by_version(rows.into_iter().map(|row| {
        let symbol = SnapshotSymbol {
            parent: row.parent.map(natural),
            kind: row.kind,
            name: row.name,
            qualified: row.qualified,
            is_file: row.is_file,
        };
        (row.file_version_id, symbol)
    })))
}

async fn read_imports(
    tx: &mut PgConnection,
    analyser: &str,
    versions: &[Uuid],
) -> Result<HashMap<Uuid, Vec<SnapshotImport>>, StoreError> {
    let rows = sqlx::query!(
        "SELECT file_version_id, module, names, kind, line FROM imports \
         WHERE file_version_id = ANY($1) AND analyser = $2 ORDER BY file_version_id, ordinal",
        versions,
        analyser
    )
    .fetch_all(tx)
    .await?;
    Ok(by_version(rows.into_iter().map(|row| {
        let import = SnapshotImport { module: row.module, names: row.names, kind: row.kind, line: natural(row.line) };
        (row.file_version_id, import)
    })))
}

/// References, or only those that name the bases of a symbol.
async fn read_refs(
    tx: &mut PgConnection,
    analyser: &str,
    versions: &[Uuid],
    bases_only: bool,
) -> Result<HashMap<Uuid, Vec<RefRow>>, StoreError> {
    let rows = sqlx::query!(
        "SELECT file_version_id, name, receiver, kind, enclosing, line, count FROM refs \
         WHERE file_version_id = ANY($1) AND analyser = $2 \
             AND (NOT $3 OR (kind IN ('extends', 'implements') AND enclosing IS NOT NULL)) \
         ORDER BY file_version_id, ordinal",
        versions,
        analyser,
        bases_only
    )
    .fetch_all(tx)
    .await?;
    Ok(by_version(rows.into_iter().map(|row| {
        let mention = RefRow {
            name: row.name,
            receiver: row.receiver,
            kind: row.kind,
            enclosing: row.enclosing.map(natural),
            line: natural(row.line),
            count: natural(row.count),
        };
        (row.file_version_id, mention)
    })))
}

fn by_version<Row>(rows: impl Iterator<Item = (Uuid, Row)>) -> HashMap<Uuid, Vec<Row>> {
    let mut by_version: HashMap<Uuid, Vec<Row>> = HashMap::new();
    for (version, row) in rows {
        by_version.entry(version).or_default().push(row);
    }
    by_version
}
