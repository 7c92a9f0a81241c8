//! The canonical dump of a run: every row it led to, without generated ids and times, in a fixed order. Two runs of
//! the same commit and settings have the same dump, whatever was killed, delivered twice or scaled on the way.

use sqlx::PgPool;
use uuid::Uuid;

/// Sections of the dump: a name, and a statement over `$1` (the run) that yields one JSON text per row, in order.
const SECTIONS: &[(&str, &str)] = &[
    (
        "run",
        "SELECT json_build_object('state', state, 'commit', encode(commit_oid, 'hex'), 'failure', failure_reason)::text FROM runs WHERE run_id = $1",
    ),
    (
        "transitions",
        "SELECT line FROM (SELECT json_build_object('transition', regexp_replace(transition, '/[0-9a-f-]{36}', ''), 'payload', payload - 'document_id')::text AS line \
         FROM run_events WHERE run_id = $1) AS events ORDER BY line COLLATE \"C\"",
    ),
    (
        "snapshot",
        "SELECT (to_jsonb(s) - 'run_id' - 'workspace_id' - 'repository_id' - 'created_at')::text FROM snapshots s WHERE run_id = $1",
    ),
    (
        "snapshot_files",
        "SELECT (to_jsonb(f) - 'run_id' - 'workspace_id' - 'repository_id' - 'file_version_id')::text \
         FROM snapshot_files f WHERE run_id = $1 ORDER BY path",
    ),
    (
        "file_versions",
        "SELECT (to_jsonb(v) - 'workspace_id' - 'repository_id' - 'file_version_id')::text \
         FROM snapshot_files f JOIN file_versions v USING (file_version_id) WHERE f.run_id = $1 ORDER BY f.path",
    ),
    (
        "symbols",
        "SELECT f.path || ' ' || (to_jsonb(c) - 'workspace_id' - 'file_version_id')::text \
         FROM snapshot_files f JOIN symbols c USING (file_version_id) WHERE f.run_id = $1 ORDER BY f.path, c.ordinal",
    ),
    (
        "imports",
        "SELECT f.path || ' ' || (to_jsonb(c) - 'workspace_id' - 'file_version_id')::text \
         FROM snapshot_files f JOIN imports c USING (file_version_id) WHERE f.run_id = $1 ORDER BY f.path, c.ordinal",
    ),
    (
        "refs",
        "SELECT f.path || ' ' || (to_jsonb(c) - 'workspace_id' - 'file_version_id')::text \
         FROM snapshot_files f JOIN refs c USING (file_version_id) WHERE f.run_id = $1 ORDER BY f.path, c.ordinal",
    ),
    (
        "file_batches",
        "SELECT (to_jsonb(b) - 'run_id' - 'workspace_id')::text FROM file_batches b WHERE run_id = $1 ORDER BY batch",
    ),
    ("edges", "SELECT (to_jsonb(e) - 'run_id' - 'workspace_id')::text FROM edges e WHERE run_id = $1 ORDER BY ordinal"),
    (
        "modules",
        "SELECT (to_jsonb(m) - 'run_id' - 'workspace_id')::text FROM modules m WHERE run_id = $1 ORDER BY slug",
    ),
    (
        "module_files",
        "SELECT (to_jsonb(m) - 'run_id' - 'workspace_id')::text FROM module_files m WHERE run_id = $1 ORDER BY path",
    ),
    (
        "external_dependencies",
        "SELECT (to_jsonb(d) - 'run_id' - 'workspace_id')::text FROM external_dependencies d WHERE run_id = $1 ORDER BY path, package",
    ),
    (
        "embedded_versions",
        "SELECT f.path || ' ' || (to_jsonb(e) - 'workspace_id' - 'repository_id' - 'file_version_id')::text \
         FROM snapshot_files f JOIN embedded_versions e USING (file_version_id) WHERE f.run_id = $1 ORDER BY f.path",
    ),
    (
        "chunks",
        "SELECT (to_jsonb(c) - 'workspace_id' - 'repository_id' - 'file_version_id' - 'embedding')::text || ' ' || coalesce(c.embedding::text, '-') \
         FROM snapshot_files f JOIN chunks c USING (file_version_id) WHERE f.run_id = $1 ORDER BY f.path, c.ordinal",
    ),
    (
        "chunk_batches",
        "SELECT (to_jsonb(b) - 'run_id' - 'workspace_id')::text FROM chunk_batches b WHERE run_id = $1 ORDER BY batch",
    ),
    (
        "documents",
        "SELECT (to_jsonb(d) - 'document_id' - 'workspace_id' - 'repository_id' - 'run_id' - 'requested_at' - 'completed_at')::text AS line \
         FROM documents d WHERE run_id = $1 ORDER BY title, line",
    ),
    (
        "pages",
        "SELECT d.title || ' ' || (to_jsonb(p) - 'document_id' - 'workspace_id')::text \
         FROM documents d JOIN pages p USING (document_id) WHERE d.run_id = $1 ORDER BY d.title, p.slug",
    ),
    (
        "revisions",
        "SELECT d.title || ' ' || (to_jsonb(r) - 'document_id' - 'workspace_id' - 'created_at')::text \
         FROM documents d JOIN revisions r USING (document_id) WHERE d.run_id = $1 ORDER BY d.title, r.slug, r.number",
    ),
    (
        "citations",
        "SELECT d.title || ' ' || (to_jsonb(c) - 'document_id' - 'workspace_id')::text \
         FROM documents d JOIN citations c USING (document_id) WHERE d.run_id = $1 ORDER BY d.title, c.slug, c.number, c.ordinal",
    ),
    (
        "llm_calls",
        "SELECT (to_jsonb(l) - 'request_hash' - 'document_id' - 'workspace_id' - 'repository_id' - 'run_id' - 'sent_at' - 'ended_at')::text AS line \
         FROM llm_calls l WHERE run_id = $1 ORDER BY line",
    ),
];

/// Dumps everything a run led to.
///
/// # Errors
/// If a statement fails.
pub async fn canonical_dump(pool: &PgPool, run: Uuid) -> Result<String, sqlx::Error> {
    let mut dump = String::new();
    for (name, statement) in SECTIONS {
        dump.push_str("== ");
        dump.push_str(name);
        dump.push('\n');
        let lines: Vec<String> = sqlx::query_scalar(*statement).bind(run).fetch_all(pool).await?;
        for line in lines {
            dump.push_str(&line);
            dump.push('\n');
        }
    }
    Ok(dump)
}
