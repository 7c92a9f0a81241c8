//! Hooks of git hosts, as people manage them.

use caffeine_model::{RepositoryId, WebhookId};
use caffeine_store::gateway::WebhookRow;
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::{ApiError, App, Tag};
use crate::domain::cursor;
use crate::domain::webhook::{Provider, WebhookKey};

pub(crate) struct WebhooksApi {
    pub(crate) app: App,
}

/// Who calls a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
enum Host {
    GitHub,
    GitLab,
    /// And Forgejo.
    Gitea,
}

/// A hook to be made.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddWebhook {
    provider: Host,
}

/// A hook. A push to the repository's ref that is delivered to it starts a run.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Webhook {
    /// Its identifier.
    webhook: Uuid,
    /// `github`, `gitlab` or `gitea` (and Forgejo).
    provider: String,
    /// Where the git host delivers, below this server's address. Choose JSON as content type, and pushes.
    url_path: String,
    /// What the git host signs with; shown this once. GitLab takes it as signing token or as secret token.
    secret: Option<String>,
    created_at: DateTime<Utc>,
    /// When something with a good signature last came.
    last_delivery_at: Option<DateTime<Utc>>,
    /// The HTTP status that it was answered with.
    last_status: Option<u16>,
}

/// A page of the hooks of a repository.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct WebhookList {
    /// The oldest first.
    items: Vec<Webhook>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum AddResponse {
    /// It was made.
    #[oai(status = 201)]
    Added(Json<Webhook>),
}

#[derive(ApiResponse)]
enum DeleteResponse {
    /// It is gone; what is still delivered is refused.
    #[oai(status = 204)]
    Deleted,
}

impl From<Host> for Provider {
    fn from(host: Host) -> Self {
        match host {
            Host::GitHub => Self::GitHub,
            Host::GitLab => Self::GitLab,
            Host::Gitea => Self::Gitea,
        }
    }
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Self {
        Self {
            webhook: row.id,
            provider: row.provider,
            url_path: format!("/hooks/{}", row.id),
            secret: None,
            created_at: row.created_at,
            last_delivery_at: row.last_delivery_at,
            last_status: row.last_status.and_then(|status| u16::try_from(status).ok()),
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Repositories")]
impl WebhooksApi {
    /// Make a webhook
    ///
    /// Its secret is in this answer and in no other.
    #[oai(path = "/repositories/:repository/webhooks", method = "post", operation_id = "add_webhook")]
    async fn add(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// A repeat of the request with the same key within a day makes nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<AddWebhook>,
    ) -> Result<AddResponse, ApiError> {
        let key = self.key()?;
        let once = once(&auth.0, &idempotency_key, "add_webhook", &[repository.0], &body.0)?;
        let repository = RepositoryId::from_uuid(repository.0);
        let provider = Provider::from(body.provider);
        let row = self.app.store.create_webhook(&auth.0.actor(), repository, provider.as_str(), once.as_ref()).await?;
        let row = row.ok_or_else(|| ApiError::not_found("repository"))?;
        tracing::info!(webhook_id = %row.id, repository_id = %repository, user_id = %auth.0.user, "webhook made");
        Ok(AddResponse::Added(Json(with_secret(key, provider, row))))
    }

    /// List webhooks
    ///
    /// The oldest first, without their secrets.
    #[oai(path = "/repositories/:repository/webhooks", method = "get", operation_id = "list_webhooks")]
    async fn list(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<WebhookList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let repository = self.app.repository(&auth.0, RepositoryId::from_uuid(repository.0)).await?;
        let page = self.app.store.webhooks(auth.0.workspace, repository.id, after, limit).await?;
        Ok(Json(WebhookList {
            items: page.items.into_iter().map(Webhook::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Renew a webhook's secret
    ///
    /// The new one is in this answer and in no other. The one before is good for a day more.
    #[oai(
        path = "/repositories/:repository/webhooks/:webhook/secret",
        method = "post",
        operation_id = "renew_webhook_secret"
    )]
    async fn renew(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        webhook: Path<Uuid>,
        /// A repeat of the request with the same key within a day renews nothing and is answered alike. Without a key it
        /// would renew once more, and what the git host signs with would be refused from then on.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Result<Json<Webhook>, ApiError> {
        let missing = || ApiError::not_found("webhook");
        let key = self.key()?;
        let path = [repository.0, webhook.0];
        let once = once(&auth.0, &idempotency_key, "renew_webhook_secret", &path, &None::<String>)?;
        let (repository, id) = (RepositoryId::from_uuid(repository.0), WebhookId::from_uuid(webhook.0));
        let renewed = self.app.store.renew_webhook(&auth.0.actor(), repository, id, once.as_ref()).await?;
        let row = renewed.ok_or_else(missing)?;
        let provider = Provider::from_word(&row.provider).ok_or_else(ApiError::internal)?;
        tracing::info!(webhook_id = %id, generation = row.generation, user_id = %auth.0.user, "webhook renewed");
        Ok(Json(with_secret(key, provider, row)))
    }

    /// Delete a webhook
    #[oai(path = "/repositories/:repository/webhooks/:webhook", method = "delete", operation_id = "delete_webhook")]
    async fn delete(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        webhook: Path<Uuid>,
    ) -> Result<DeleteResponse, ApiError> {
        let (repository, id) = (RepositoryId::from_uuid(repository.0), WebhookId::from_uuid(webhook.0));
        if !self.app.store.delete_webhook(&auth.0.actor(), repository, id).await? {
            return Err(ApiError::not_found("webhook"));
        }
        tracing::info!(webhook_id = %id, user_id = %auth.0.user, "webhook deleted");
        Ok(DeleteResponse::Deleted)
    }
}

impl WebhooksApi {
    fn key(&self) -> Result<&WebhookKey, ApiError> {
        self.app.webhook_key.as_deref().ok_or_else(|| {
            let detail = "This installation takes no webhooks yet. Its operator sets `gateway.webhook_key`.";
            ApiError::conflict("webhooks_off", detail)
        })
    }
}

fn with_secret(key: &WebhookKey, provider: Provider, row: WebhookRow) -> Webhook {
    let generation = row.generation.unsigned_abs();
    let secret = key.secret(provider, WebhookId::from_uuid(row.id), generation);
    Webhook { secret: Some(secret), ..Webhook::from(row) }
}
