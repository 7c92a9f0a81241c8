//! Creating requests that are sent again: what one made is written with it, in one transaction, and found by its key.

use caffeine_model::{UserId, WorkspaceId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use crate::StoreError;

/// How many keys that are too old are removed with each new one.
const REMOVED_AT_ONCE: i64 = 100;

/// A creating request that may be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Who sends it.
    pub user: UserId,
    /// What the sender calls it.
    pub key: String,
    /// SHA-256 of the operation, its path and its body.
    pub request_hash: [u8; 32],
}

/// What a request with this key made within the last day, if there was one.
///
/// # Errors
/// [`StoreError::KeyInUse`] while another request with the key is at work, [`StoreError::KeyReused`] if it was another
/// request.
pub(super) async fn made<T: DeserializeOwned>(
    connection: &mut PgConnection,
    once: Option<&Once>,
) -> Result<Option<T>, StoreError> {
    let Some(once) = once else { return Ok(None) };
    let free = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0x6f6e6365)) AS "free!""#,
        format!("{}/{}", once.user, once.key)
    )
    .fetch_one(&mut *connection)
    .await?;
    if !free {
        return Err(StoreError::KeyInUse);
    }
    let row = sqlx::query!(
        "SELECT request_hash, made FROM idempotency_keys \
         WHERE user_id = $1 AND key = $2 AND created_at > now() - interval '24 hours'",
        once.user.as_uuid(),
        once.key
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.request_hash != once.request_hash {
        return Err(StoreError::KeyReused);
    }
    serde_json::from_value(row.made).map(Some).map_err(|error| StoreError::corrupt("idempotency_keys.made", error))
}

/// Writes what a request made. The caller has asked with [`made`] in the same transaction.
///
/// # Errors
/// If the database refuses.
pub(super) async fn remember(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    once: Option<&Once>,
    made: &impl Serialize,
) -> Result<(), StoreError> {
    let Some(once) = once else { return Ok(()) };
    let made = serde_json::to_value(made).map_err(|error| StoreError::corrupt("idempotency_keys.made", error))?;
    // Those of this very key too.
    sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (user_id, key) IN ( \
             SELECT user_id, key FROM idempotency_keys WHERE created_at <= now() - interval '24 hours' \
             ORDER BY (user_id, key) = ($1, $2) DESC, created_at LIMIT $3 FOR UPDATE SKIP LOCKED)",
        once.user.as_uuid(),
        once.key,
        REMOVED_AT_ONCE
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO idempotency_keys (user_id, key, workspace_id, request_hash, made) VALUES ($1, $2, $3, $4, $5)",
        once.user.as_uuid(),
        once.key,
        workspace.as_uuid(),
        &once.request_hash[..],
        made
    )
    .execute(connection)
    .await?;
    Ok(())
}
