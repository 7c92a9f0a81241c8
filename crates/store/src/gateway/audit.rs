//! The audit log: who did what. Rows are added in the transaction of what they record, or not at all, and chained by
//! their hashes: whoever changes, removes or inserts one breaks the chain from there on.

use caffeine_model::{AuditEntryId, UserId, WorkspaceId};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Cursor, Page};
use crate::{Store, StoreError};

/// Distinguishes this lock from others. The number means nothing.
const LOCK: i32 = 0x6175_6469;
/// Rows that a check reads at once.
const CHECKED_AT_ONCE: i64 = 1_000;

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The tenant in whose log it stands.
    pub workspace: WorkspaceId,
    /// The user; `None` if nobody is signed in.
    pub user: Option<UserId>,
    /// Name of the user, or what else it is, as it is today.
    pub name: String,
    /// Where the request came from.
    pub ip: Option<String>,
}

impl Actor {
    /// The installation itself.
    #[must_use]
    pub fn system(workspace: WorkspaceId) -> Self {
        Self { workspace, user: None, name: "system".to_owned(), ip: None }
    }
}

/// What is done.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `noun.verb`, the verb in the past: `repository.added`.
    pub action: &'static str,
    /// What kind of thing it is done to.
    pub object_kind: &'static str,
    /// Which one.
    pub object_id: String,
    /// What else is worth knowing; never a secret.
    pub detail: Value,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its identifier.
    pub id: AuditEntryId,
    /// Its place in the workspace's log, from 1.
    pub sequence: u64,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who, if somebody was signed in.
    pub actor: Option<UserId>,
    /// The actor's name at the time.
    pub actor_name: String,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub object_kind: String,
    /// To which one.
    pub object_id: String,
    /// More about it, as JSON.
    pub detail: String,
    /// Where the request came from.
    pub ip: Option<String>,
    /// The hash of this row and the one before.
    pub hash: Vec<u8>,
}

/// Which rows of the log.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only this user's.
    pub actor: Option<UserId>,
    /// Only this action.
    pub action: Option<String>,
    /// Only about the thing of this identifier.
    pub object: Option<String>,
}

/// What recomputing a workspace's chain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCheck {
    /// How many rows were found in order.
    pub entries: u64,
    /// The place of the first row that is not what it was, or that is missing.
    pub broken_at: Option<u64>,
}

/// What is hashed of a row. Every text is preceded by its length, so no two rows are the same bytes.
struct Hashed<'a> {
    sequence: i64,
    id: Uuid,
    occurred_at: DateTime<Utc>,
    actor: Option<Uuid>,
    texts: [&'a str; 5],
    ip: Option<&'a str>,
}

impl Hashed<'_> {
    fn after(&self, previous: &[u8]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        add(previous);
        add(&self.sequence.to_be_bytes());
        add(self.id.as_bytes());
        add(&self.occurred_at.timestamp_micros().to_be_bytes());
        add(self.actor.as_ref().map_or(&[][..], |actor| actor.as_bytes()));
        for text in self.texts {
            add(text.as_bytes());
        }
        add(&[u8::from(self.ip.is_some())]);
        add(self.ip.unwrap_or_default().as_bytes());
        hasher.finalize().into()
    }
}

/// Adds a row to the log of the actor's workspace. Call it last in its transaction: it holds the log's lock until the
/// end, so whoever waits for another lock after it makes everybody wait.
///
/// # Errors
/// If the database refuses.
pub(super) async fn append(connection: &mut PgConnection, by: &Actor, entry: Entry) -> Result<(), StoreError> {
    let workspace = by.workspace.as_uuid();
    sqlx::query!("SELECT pg_advisory_xact_lock($1, hashtext($2::uuid::text))", LOCK, workspace)
        .execute(&mut *connection)
        .await?;
    // A statement of its own: it must see what whoever held the lock before has written.
    let last = sqlx::query!(
        "SELECT sequence, occurred_at, hash FROM audit_entries WHERE workspace_id = $1 ORDER BY sequence DESC LIMIT 1",
        workspace
    )
    .fetch_optional(&mut *connection)
    .await?;
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(&mut *connection).await?;
    let (sequence, earliest, previous) = last.map_or((1, now, Vec::new()), |last| {
        // A clock that is set back does not change the order.
        (last.sequence + 1, last.occurred_at, last.hash)
    });
    let occurred_at = now.max(earliest).trunc_subsecs(6);
    let id = AuditEntryId::generate().as_uuid();
    let actor = by.user.map(UserId::as_uuid);
    let detail = entry.detail.to_string();
    let texts = [by.name.as_str(), entry.action, entry.object_kind, entry.object_id.as_str(), detail.as_str()];
    let hash = Hashed { sequence, id, occurred_at, actor, texts, ip: by.ip.as_deref() }.after(&previous);
    sqlx::query!(
        "INSERT INTO audit_entries (workspace_id, sequence, entry_id, occurred_at, actor, actor_name, action, \
                                    object_kind, object_id, detail, ip, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        workspace,
        sequence,
        id,
        occurred_at,
        actor,
        by.name,
        entry.action,
        entry.object_kind,
        entry.object_id,
        detail,
        by.ip,
        &hash[..]
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct Raw {
    entry_id: Uuid,
    sequence: i64,
    occurred_at: DateTime<Utc>,
    actor: Option<Uuid>,
    actor_name: String,
    action: String,
    object_kind: String,
    object_id: String,
    detail: String,
    ip: Option<String>,
    hash: Vec<u8>,
}

impl From<Raw> for AuditRow {
    fn from(raw: Raw) -> Self {
        Self {
            id: AuditEntryId::from_uuid(raw.entry_id),
            sequence: raw.sequence.unsigned_abs(),
            occurred_at: raw.occurred_at,
            actor: raw.actor.map(UserId::from_uuid),
            actor_name: raw.actor_name,
            action: raw.action,
            object_kind: raw.object_kind,
            object_id: raw.object_id,
            detail: raw.detail,
            ip: raw.ip,
            hash: raw.hash,
        }
    }
}

impl Store {
    /// Records something that has no transaction of its own in this database.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn record(&self, by: &Actor, entry: Entry) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        append(&mut tx, by, entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The log of a workspace, newest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn audit_entries(
        &self,
        workspace: WorkspaceId,
        filter: &AuditFilter,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<AuditRow>, StoreError> {
        let rows = sqlx::query_as!(
            Raw,
            "SELECT entry_id, sequence, occurred_at, actor, actor_name, action, object_kind, object_id, detail, ip, hash \
             FROM audit_entries \
             WHERE workspace_id = $1 \
               AND ($2::timestamptz IS NULL OR (occurred_at, entry_id) < ($2, $3::uuid)) \
               AND ($4::uuid IS NULL OR actor = $4) AND ($5::text IS NULL OR action = $5) \
               AND ($6::text IS NULL OR object_id = $6) \
             ORDER BY occurred_at DESC, entry_id DESC LIMIT $7",
            workspace.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            filter.actor.map(UserId::as_uuid),
            filter.action,
            filter.object,
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(AuditRow::from).collect();
        Ok(Page::cut(rows, limit, |row: &AuditRow| Cursor { key: row.occurred_at, id: row.id.as_uuid() }))
    }

    /// Recomputes the chain of a workspace from its first row.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn check_audit(&self, workspace: WorkspaceId) -> Result<AuditCheck, StoreError> {
        let (mut sequence, mut previous) = (0_i64, Vec::new());
        loop {
            let rows = sqlx::query_as!(
                Raw,
                "SELECT entry_id, sequence, occurred_at, actor, actor_name, action, object_kind, object_id, detail, \
                        ip, hash \
                 FROM audit_entries WHERE workspace_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
                workspace.as_uuid(),
                sequence,
                CHECKED_AT_ONCE
            )
            .fetch_all(&self.pool)
            .await?;
            if rows.is_empty() {
                return Ok(AuditCheck { entries: sequence.unsigned_abs(), broken_at: None });
            }
            for row in rows {
                let expected = Hashed {
                    sequence: sequence + 1,
                    id: row.entry_id,
                    occurred_at: row.occurred_at,
                    actor: row.actor,
                    texts: [&row.actor_name, &row.action, &row.object_kind, &row.object_id, &row.detail],
                    ip: row.ip.as_deref(),
                }
                .after(&previous);
                if row.sequence != sequence + 1 || row.hash != expected {
                    let entries = sequence.unsigned_abs();
                    return Ok(AuditCheck { entries, broken_at: Some(entries + 1) });
                }
                sequence = row.sequence;
                previous = row.hash;
            }
        }
    }
}
