//! The audit log: who did what.

use caffeine_model::UserId;
use caffeine_store::gateway::{AuditFilter, AuditRow};
use chrono::{DateTime, Utc};
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::auth::Auth;
use super::list::{PageLimit, page_of};
use super::{ApiError, App, Tag};
use crate::domain::cursor;

pub(crate) struct AuditApi {
    pub(crate) app: App,
}

/// Something that somebody did.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct AuditEntry {
    entry: Uuid,
    /// Its place in the workspace's log, from 1, without gaps.
    sequence: u64,
    occurred_at: DateTime<Utc>,
    /// The user; absent if nobody was signed in.
    actor: Option<Uuid>,
    /// The user's name at the time, or `nobody`, or `system`.
    actor_name: String,
    /// `noun.verb`, such as `repository.deleted`.
    action: String,
    object_kind: String,
    object_id: String,
    /// More about it.
    detail: serde_json::Value,
    /// Where the request came from.
    ip: Option<String>,
    /// SHA-256 over this row and the hash before, in hexadecimal digits.
    hash: String,
}

/// A page of the log.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct AuditPage {
    items: Vec<AuditEntry>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            entry: row.id.as_uuid(),
            sequence: row.sequence,
            occurred_at: row.occurred_at,
            actor: row.actor.map(UserId::as_uuid),
            actor_name: row.actor_name,
            action: row.action,
            object_kind: row.object_kind,
            object_id: row.object_id,
            // The column's rule is that it is JSON.
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
            ip: row.ip,
            hash: hex::encode(row.hash),
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Identity")]
impl AuditApi {
    /// Read the audit log
    ///
    /// Newest first. Rows are never changed nor removed; `caffeine audit` recomputes their chain.
    #[oai(path = "/audit", method = "get", operation_id = "list_audit_entries")]
    async fn list(
        &self,
        auth: Auth,
        /// Only what this user did.
        actor: Query<Option<Uuid>>,
        /// Only this action.
        action: Query<Option<String>>,
        /// Only what was done to the thing of this identifier.
        object: Query<Option<String>>,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<AuditPage>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        // PostgreSQL's texts hold no NUL, so nothing is found.
        let text = |text: Option<String>| text.map(|text| text.replace('\0', "\u{fffd}"));
        let filter =
            AuditFilter { actor: actor.0.map(UserId::from_uuid), action: text(action.0), object: text(object.0) };
        let page = self.app.store.audit_entries(auth.0.workspace, &filter, after, limit).await?;
        Ok(Json(AuditPage {
            items: page.items.into_iter().map(AuditEntry::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }
}
