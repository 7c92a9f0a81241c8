//! Credentials for git hosts: they go in, and never come out.

use caffeine_model::CredentialId;
use caffeine_sealed::{Binding, Secret, SecretKind, seal};
use caffeine_store::StoreError;
use caffeine_store::gateway::{CredentialRow, NewCredential};
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{Auth, Principal};
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::repositories::text;
use super::{ApiError, App, Tag};
use crate::domain::credential::{self, CredentialError, Given};
use crate::domain::cursor;

pub(crate) struct CredentialsApi {
    pub(crate) app: App,
}

/// A user name and a token over https.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    /// The user name that the host wants with tokens.
    user: String,
    /// The token or password.
    #[oai(write_only)]
    token: String,
}

/// A deploy key over ssh.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields)]
struct SshKey {
    /// The private key as `ssh-keygen` writes it, without a passphrase.
    #[oai(write_only)]
    private_key: String,
    /// Lines of a `known_hosts` file for the host, as `ssh-keyscan` prints them: no other host key is accepted.
    known_hosts: String,
}

/// A credential to be stored: `token` or `ssh_key`, or `authority` alone. Not derived from `Debug`, so that nothing can
/// log it.
#[derive(Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct AddCredential {
    /// Shown to people; unique in the workspace.
    name: String,
    /// The only host it is ever shown to, as `host` or `host:port`.
    host: String,
    /// A token over https.
    token: Option<Token>,
    /// A deploy key over ssh.
    ssh_key: Option<SshKey>,
    /// Certificates of a private authority, as PEM, if the host's certificate is signed by one. Alone, or beside `token`.
    authority: Option<String>,
}

/// A new secret for a credential, of the same kind as the one before.
#[derive(Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct ReplaceCredential {
    /// A token over https.
    token: Option<Token>,
    /// A deploy key over ssh.
    ssh_key: Option<SshKey>,
    /// Certificates of a private authority, as PEM. Alone, or beside `token`.
    authority: Option<String>,
}

/// A credential. Its secret is sealed to the cloner and cannot be read through this interface.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Credential {
    id: Uuid,
    name: String,
    /// `token`, `ssh_key` or `authority`.
    kind: String,
    /// The only `host:port` it is shown to.
    host: String,
    created_at: DateTime<Utc>,
    /// When its secret was last replaced.
    replaced_at: Option<DateTime<Utc>>,
    /// How many repositories use it.
    repositories: u64,
}

/// A page of the workspace's credentials.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct CredentialList {
    items: Vec<Credential>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum AddResponse {
    /// It was sealed and stored.
    #[oai(status = 201)]
    Added(Json<Credential>, #[oai(header = "Location")] String),
}

#[derive(ApiResponse)]
enum DeleteResponse {
    /// It is gone; repositories that used it go on without.
    #[oai(status = 204)]
    Deleted,
}

impl From<CredentialRow> for Credential {
    fn from(row: CredentialRow) -> Self {
        Self {
            id: row.id.as_uuid(),
            name: row.name,
            kind: row.kind,
            host: row.host,
            created_at: row.created_at,
            replaced_at: row.replaced_at,
            repositories: row.repositories.unsigned_abs(),
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Credentials")]
impl CredentialsApi {
    /// Store a credential
    ///
    /// It is sealed at once: only the cloner can open it, and shows it to this one host only.
    #[oai(path = "/credentials", method = "post", operation_id = "add_credential")]
    async fn add(
        &self,
        auth: Auth,
        /// A repeat of the request with the same key within a day makes nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<AddCredential>,
    ) -> Result<AddResponse, ApiError> {
        let once = once(&auth.0, &idempotency_key, "add_credential", &[], &body.0)?;
        let body = body.0;
        let name = text("/name", Some(&body.name), 100)?.to_owned();
        if name.is_empty() {
            return Err(ApiError::refused("name_missing", "/name", "Give the credential a name."));
        }
        let secret = checked(body.token, body.ssh_key, body.authority)?;
        let host = credential::host(&body.host, secret.kind()).map_err(refused)?;
        let id = CredentialId::generate();
        let sealed = self.seal(&auth.0, id, &host, &secret)?;
        let new = NewCredential { id, name, kind: secret.kind().as_str(), host, sealed };
        let stored = self.app.store.create_credential(&auth.0.actor(), &new, once.as_ref()).await;
        let id = stored.map_err(|error| match error {
            StoreError::Duplicate(_) => {
                let detail = "There is a credential of this name. Choose another name, or replace its secret.";
                ApiError::conflict("name_taken", detail)
            }
            other => other.into(),
        })?;
        tracing::info!(credential_id = %id, kind = new.kind, user_id = %auth.0.user, "credential stored");
        Ok(AddResponse::Added(Json(self.view(&auth.0, id).await?), format!("/api/v1/credentials/{id}")))
    }

    /// List credentials
    ///
    /// By name, without their secrets.
    #[oai(path = "/credentials", method = "get", operation_id = "list_credentials")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<CredentialList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let page = self.app.store.credentials(auth.0.workspace, after, limit).await?;
        Ok(Json(CredentialList {
            items: page.items.into_iter().map(Credential::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Replace a credential's secret
    ///
    /// Repositories that use it clone with the new one from now on. Name, kind and host stay.
    #[oai(path = "/credentials/:credential", method = "put", operation_id = "replace_credential")]
    async fn replace(
        &self,
        auth: Auth,
        credential: Path<Uuid>,
        body: Body<ReplaceCredential>,
    ) -> Result<Json<Credential>, ApiError> {
        let id = CredentialId::from_uuid(credential.0);
        let present = self.view(&auth.0, id).await?;
        let secret = checked(body.0.token, body.0.ssh_key, body.0.authority)?;
        if secret.kind().as_str() != present.kind {
            let detail = format!("This credential is of the kind `{}`. Store another one.", present.kind);
            return Err(ApiError::refused("credential_kind", "", detail));
        }
        let sealed = self.seal(&auth.0, id, &present.host, &secret)?;
        if !self.app.store.replace_credential(&auth.0.actor(), id, &sealed).await? {
            return Err(ApiError::not_found("credential"));
        }
        tracing::info!(credential_id = %id, user_id = %auth.0.user, "credential replaced");
        Ok(Json(self.view(&auth.0, id).await?))
    }

    /// Delete a credential
    #[oai(path = "/credentials/:credential", method = "delete", operation_id = "delete_credential")]
    async fn delete(&self, auth: Auth, credential: Path<Uuid>) -> Result<DeleteResponse, ApiError> {
        let id = CredentialId::from_uuid(credential.0);
        if !self.app.store.delete_credential(&auth.0.actor(), id).await? {
            return Err(ApiError::not_found("credential"));
        }
        tracing::info!(credential_id = %id, user_id = %auth.0.user, "credential deleted");
        Ok(DeleteResponse::Deleted)
    }
}

impl CredentialsApi {
    async fn view(&self, who: &Principal, id: CredentialId) -> Result<Credential, ApiError> {
        let row = self.app.store.credential(who.workspace, id).await?;
        row.map(Credential::from).ok_or_else(|| ApiError::not_found("credential"))
    }

    fn seal(&self, who: &Principal, id: CredentialId, host: &str, secret: &Secret) -> Result<Vec<u8>, ApiError> {
        let Some(key) = &self.app.credential_key else {
            let detail = "This installation keeps no credentials yet. Its operator runs `caffeine credential-key` and \
                          sets `gateway.credential_public_key` and `cloner.credential_key`.";
            return Err(ApiError::conflict("credentials_off", detail));
        };
        let kind: SecretKind = secret.kind();
        Ok(seal(key, &Binding { workspace: who.workspace, credential: id, kind, host }, secret))
    }
}

impl App {
    /// The credential that a request names.
    pub(crate) async fn named_credential(
        &self,
        who: &Principal,
        id: Option<Uuid>,
    ) -> Result<Option<CredentialRow>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        let found = self.store.credential(who.workspace, CredentialId::from_uuid(id)).await?;
        found.map(Some).ok_or_else(|| {
            let detail = "There is no such credential. GET /api/v1/credentials lists them.";
            ApiError::refused("credential_unknown", "/credential", detail)
        })
    }
}

fn checked(token: Option<Token>, ssh_key: Option<SshKey>, authority: Option<String>) -> Result<Secret, ApiError> {
    let given = Given {
        token: token.map(|token| (token.user, token.token)),
        ssh_key: ssh_key.map(|key| (key.private_key, key.known_hosts)),
        authority,
    };
    credential::secret(given).map_err(refused)
}

fn refused(error: CredentialError) -> ApiError {
    ApiError::refused("credential_refused", error.pointer(), error.to_string())
}
