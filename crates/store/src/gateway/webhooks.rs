//! Hooks of git hosts, and what they delivered.

use caffeine_model::{RepositoryId, RunId, WebhookId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::idempotency::{self, Once};
use super::run_create::{IfQueued, create_run, documents_of};
use super::runs::{NewDocument, NewRun, Versions, record_start};
use super::{Cursor, OutboxBody, Page, RunStart};
use crate::{Store, StoreError};

/// A hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its identifier.
    pub id: Uuid,
    /// `github`, `gitlab` or `gitea`.
    pub provider: String,
    /// Which secret is live.
    pub generation: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its secret was last renewed; the one before is good for a day more.
    pub renewed_at: Option<DateTime<Utc>>,
    /// When something with a good signature last came.
    pub last_delivery_at: Option<DateTime<Utc>>,
    /// How that was answered.
    pub last_status: Option<i32>,
}

/// What a delivery's signature is checked with, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRow {
    /// `github`, `gitlab` or `gitea`.
    pub provider: String,
    /// Which secret is live.
    pub generation: i32,
    /// The secret before is still good.
    pub former_is_live: bool,
    /// The repository's ref; empty for the remote's HEAD.
    pub reference: String,
}

/// What a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The hook is gone, or its repository is.
    Gone,
    /// It was delivered before.
    Known,
    /// It changes nothing here.
    Noted,
    /// A run was asked for.
    Run {
        /// The run: new, or the one that was queued already.
        run: RunId,
        /// Whether it was started, that is, whether the outbox has work.
        started: bool,
    },
}

/// A delivery whose signature was good.
pub struct NewDelivery<'a> {
    /// What tells it apart.
    pub keys: &'a [String],
    /// How it is answered.
    pub status: i32,
    /// Whether the repository's ref was pushed to.
    pub is_push: bool,
    /// What a run writes if there was none before.
    pub documents: &'a [NewDocument],
    /// What a run is fixed to if it starts now.
    pub versions: &'a Versions,
    /// Makes its messages if it starts now.
    pub announce: &'a (dyn Fn(&RunStart) -> Vec<OutboxBody> + Send + Sync),
    /// When it came.
    pub now: DateTime<Utc>,
    /// Where it came from.
    pub ip: Option<String>,
}

fn about(action: &'static str, id: WebhookId, detail: serde_json::Value) -> Entry {
    Entry { action, object_kind: "webhook", object_id: id.to_string(), detail }
}

/// One hook of a workspace.
async fn webhook(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    id: WebhookId,
) -> Result<Option<WebhookRow>, StoreError> {
    Ok(sqlx::query_as!(
        WebhookRow,
        "SELECT webhook_id AS id, provider, generation, created_at, renewed_at, last_delivery_at, last_status \
         FROM webhooks WHERE workspace_id = $1 AND webhook_id = $2",
        workspace.as_uuid(),
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await?)
}

impl Store {
    /// Makes a hook. `None` if there is no such repository.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn create_webhook(
        &self,
        by: &Actor,
        repository: RepositoryId,
        provider: &str,
        once: Option<&Once>,
    ) -> Result<Option<WebhookRow>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return webhook(&mut tx, by.workspace, WebhookId::from_uuid(made)).await;
        }
        let id = WebhookId::generate();
        let row = sqlx::query_as!(
            WebhookRow,
            "INSERT INTO webhooks (webhook_id, workspace_id, repository_id, provider) \
             SELECT $3, workspace_id, repository_id, $4 FROM repositories \
             WHERE workspace_id = $1 AND repository_id = $2 AND deleting_at IS NULL \
             RETURNING webhook_id AS id, provider, generation, created_at, renewed_at, last_delivery_at, last_status",
            by.workspace.as_uuid(),
            repository.as_uuid(),
            id.as_uuid(),
            provider
        )
        .fetch_optional(&mut *tx)
        .await?;
        if row.is_some() {
            idempotency::remember(&mut tx, by.workspace, once, &id.as_uuid()).await?;
            audit::append(&mut tx, by, about("webhook.added", id, json!({ "provider": provider }))).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// The hooks of a repository, the oldest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn webhooks(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<WebhookRow>, StoreError> {
        let rows = sqlx::query_as!(
            WebhookRow,
            "SELECT webhook_id AS id, provider, generation, created_at, renewed_at, last_delivery_at, last_status \
             FROM webhooks WHERE workspace_id = $1 AND repository_id = $2 \
               AND ($3::timestamptz IS NULL OR (created_at, webhook_id) > ($3, $4::uuid)) \
             ORDER BY created_at, webhook_id LIMIT $5",
            workspace.as_uuid(),
            repository.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(Page::cut(rows, limit, |row| Cursor { key: row.created_at, id: row.id }))
    }

    /// Gives a hook the next secret, once. `None` if there is no such hook.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn renew_webhook(
        &self,
        by: &Actor,
        repository: RepositoryId,
        id: WebhookId,
        once: Option<&Once>,
    ) -> Result<Option<WebhookRow>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return webhook(&mut tx, by.workspace, WebhookId::from_uuid(made)).await;
        }
        let row = sqlx::query_as!(
            WebhookRow,
            "UPDATE webhooks SET generation = generation + 1, renewed_at = now() \
             WHERE workspace_id = $1 AND repository_id = $2 AND webhook_id = $3 \
             RETURNING webhook_id AS id, provider, generation, created_at, renewed_at, last_delivery_at, last_status",
            by.workspace.as_uuid(),
            repository.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        if row.is_some() {
            idempotency::remember(&mut tx, by.workspace, once, &id.as_uuid()).await?;
            audit::append(&mut tx, by, about("webhook.secret_renewed", id, json!({}))).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// Removes a hook. Whether there was one.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn delete_webhook(
        &self,
        by: &Actor,
        repository: RepositoryId,
        id: WebhookId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let deleted = sqlx::query!(
            "DELETE FROM webhooks WHERE workspace_id = $1 AND repository_id = $2 AND webhook_id = $3",
            by.workspace.as_uuid(),
            repository.as_uuid(),
            id.as_uuid()
        )
        .execute(&mut *tx)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, by, about("webhook.deleted", id, json!({}))).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// What a delivery to a hook is checked with.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn hook(&self, id: WebhookId) -> Result<Option<HookRow>, StoreError> {
        Ok(sqlx::query_as!(
            HookRow,
            r#"SELECT w.provider, w.generation,
                      coalesce(w.renewed_at > now() - interval '24 hours', false) AS "former_is_live!",
                      p.ref AS reference
               FROM webhooks w JOIN repositories p USING (repository_id)
               WHERE w.webhook_id = $1 AND p.deleting_at IS NULL"#,
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Stores that something was delivered, and asks for a run if it was a push to the repository's ref: it writes what
    /// the latest one was to write. A run that waits already will do, so any number of pushes cause one.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn deliver(&self, id: WebhookId, delivery: NewDelivery<'_>) -> Result<Delivered, StoreError> {
        let mut tx = self.pool.begin().await?;
        // The repository first, as everybody who locks it does. Deliveries go one after another, so a replay sees the first.
        let hook = sqlx::query!(
            "SELECT p.workspace_id, p.repository_id FROM webhooks w JOIN repositories p USING (repository_id) \
             WHERE w.webhook_id = $1 AND p.deleting_at IS NULL FOR NO KEY UPDATE OF p",
            id.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(hook) = hook else { return Ok(Delivered::Gone) };
        let noted = sqlx::query!(
            "UPDATE webhooks SET last_delivery_at = now(), last_status = $2 WHERE webhook_id = $1",
            id.as_uuid(),
            delivery.status
        )
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() == 0 {
            return Ok(Delivered::Gone);
        }
        let fresh = sqlx::query!(
            "INSERT INTO webhook_deliveries (webhook_id, delivery) SELECT $1, * FROM unnest($2::text[]) \
             ON CONFLICT DO NOTHING",
            id.as_uuid(),
            delivery.keys
        )
        .execute(&mut *tx)
        .await?;
        let is_known = fresh.rows_affected() < delivery.keys.len() as u64;
        sqlx::query!(
            "DELETE FROM webhook_deliveries WHERE webhook_id = $1 AND received_at < now() - interval '30 days'",
            id.as_uuid()
        )
        .execute(&mut *tx)
        .await?;
        if is_known || !delivery.is_push {
            tx.commit().await?;
            return Ok(if is_known { Delivered::Known } else { Delivered::Noted });
        }
        let (workspace, repository) =
            (WorkspaceId::from_uuid(hook.workspace_id), RepositoryId::from_uuid(hook.repository_id));
        let latest = sqlx::query_scalar!(
            "SELECT run_id FROM runs WHERE repository_id = $1 AND state <> 'superseded' \
             ORDER BY created_at DESC, run_id DESC LIMIT 1",
            repository.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let documents = match latest {
            Some(run) => documents_of(&mut tx, RunId::from_uuid(run)).await?,
            None => delivery.documents.to_vec(),
        };
        let NewDelivery { versions, announce, now, ip: delivery_ip, .. } = delivery;
        let new = NewRun { documents: &documents, versions, announce, now };
        let created = create_run(&mut tx, workspace, repository, new, IfQueued::Join).await?;
        let by = Actor { workspace, user: None, name: format!("webhook {id}"), ip: delivery_ip };
        record_start(&mut tx, &by, created.as_ref()).await?;
        tx.commit().await?;
        Ok(created.map_or(Delivered::Gone, |created| Delivered::Run { run: created.run, started: created.started }))
    }
}
