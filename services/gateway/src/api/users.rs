//! The users of the workspace.

use caffeine_model::UserId;
use caffeine_store::gateway::{UserChange, UserChanged, UserRow};
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::{ApiError, App, Tag};
use crate::domain::cursor;
use crate::domain::role::Role;

pub(crate) struct UsersApi {
    pub(crate) app: App,
}

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum UserRole {
    /// Reads.
    Viewer,
    /// Reads, also what others may not see, and changes nothing.
    Auditor,
    /// Starts runs and writes prompts.
    Author,
    /// Adds and deletes what the installation works on.
    Maintainer,
    /// Everything.
    Admin,
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Viewer => Self::Viewer,
            UserRole::Auditor => Self::Auditor,
            UserRole::Author => Self::Author,
            UserRole::Maintainer => Self::Maintainer,
            UserRole::Admin => Self::Admin,
        }
    }
}

/// What is to be different. What is absent stays.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// Another role. From now on the provider's word about it does not count.
    role: Option<UserRole>,
    /// Whether the user may do anything. Whoever is switched off loses every session.
    active: Option<bool>,
}

/// A user.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct User {
    user: Uuid,
    display_name: String,
    /// Whom the provider means: `tid:oid` of Entra ID, else issuer, `#` and subject. Absent for a user of the
    /// installation.
    external_id: Option<String>,
    /// `viewer`, `auditor`, `author`, `maintainer` or `admin`.
    role: String,
    /// `provider` or `local`: who says the role.
    role_source: String,
    active: bool,
    created_at: DateTime<Utc>,
    /// To the minute.
    last_seen_at: Option<DateTime<Utc>>,
}

/// A page of users.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct UserPage {
    items: Vec<User>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum UserResponse {
    /// The user.
    #[oai(status = 200)]
    Found(
        Json<User>,
        /// Of this state; to be given as `If-Match` with a change.
        #[oai(header = "ETag")]
        String,
    ),
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            user: row.id.as_uuid(),
            display_name: row.display_name,
            external_id: row.external_id,
            role: row.role,
            role_source: row.role_source,
            active: row.active,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        }
    }
}

impl From<UserRow> for UserResponse {
    fn from(row: UserRow) -> Self {
        let tag = tag(row.revision);
        Self::Found(Json(row.into()), tag)
    }
}

fn tag(revision: u32) -> String {
    format!("\"{revision}\"")
}

/// The revision that a tag is of. A weak tag is none of ours.
fn revision(tag: &str) -> Option<u32> {
    tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Identity")]
impl UsersApi {
    /// List users
    ///
    /// Newest first.
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<UserPage>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let page = self.app.store.users(auth.0.workspace, after, limit).await?;
        Ok(Json(UserPage {
            items: page.items.into_iter().map(User::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Get a user
    #[oai(path = "/users/:user", method = "get", operation_id = "get_user")]
    async fn get(&self, auth: Auth, user: Path<Uuid>) -> Result<UserResponse, ApiError> {
        let row = self.app.store.user(auth.0.workspace, UserId::from_uuid(user.0)).await?;
        Ok(row.ok_or_else(|| ApiError::not_found("user"))?.into())
    }

    /// Change a user
    ///
    /// The last active administrator stays one.
    #[oai(path = "/users/:user", method = "patch", operation_id = "change_user")]
    async fn change(
        &self,
        auth: Auth,
        user: Path<Uuid>,
        /// `ETag` of the state that the change is about.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<ChangeUser>,
    ) -> Result<UserResponse, ApiError> {
        let id = UserId::from_uuid(user.0);
        if self.app.store.user(auth.0.workspace, id).await?.is_none() {
            return Err(ApiError::not_found("user"));
        }
        let Some(if_match) = if_match.0 else {
            let detail = "Send `If-Match` with the `ETag` of GET /api/v1/users/{user}.";
            return Err(ApiError::precondition_required(detail));
        };
        let outdated = || ApiError::precondition_failed("Somebody has changed the user. Read it again.");
        let revision = revision(&if_match).ok_or_else(outdated)?;
        let change = UserChange { role: body.0.role.map(|role| Role::from(role).as_str()), active: body.0.active };
        let changed = self.app.store.change_user(&auth.0.actor(), id, revision, change).await?;
        self.app.identity.forget_user(id);
        match changed {
            UserChanged::Done(row) => {
                tracing::info!(user_id = %id, by_user_id = %auth.0.user, "user changed");
                Ok(row.into())
            }
            UserChanged::Unknown => Err(ApiError::not_found("user")),
            UserChanged::Outdated => Err(outdated()),
            UserChanged::LastAdministrator => {
                let detail = "Nobody could administer the workspace any more. Make somebody else administrator first.";
                Err(ApiError::conflict("last_administrator", detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{revision, tag};

    #[test]
    fn tags_are_read_back() {
        assert_eq!(revision(&tag(7)), Some(7));
        for other in ["7", "W/\"7\"", "\"\"", "*", "\"x\"", "\"-1\""] {
            assert_eq!(revision(other), None, "{other}");
        }
    }
}
