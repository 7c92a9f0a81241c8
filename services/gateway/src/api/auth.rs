//! Who is asking.

use caffeine_model::{UserId, WorkspaceId};
use caffeine_store::gateway::PrincipalRow;
use caffeine_store::{Store, StoreError};
use poem::Request;
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;

use super::ApiError;
use crate::domain::token;

/// Whoever a request comes from. The shell puts it into the request before any handler sees it.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) workspace: WorkspaceId,
    pub(crate) user: UserId,
    role: String,
}

impl From<PrincipalRow> for Principal {
    fn from(row: PrincipalRow) -> Self {
        Self { workspace: row.workspace, user: row.user, role: row.role }
    }
}

impl Principal {
    /// Those who only look may not change anything.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn may_write(&self) -> Result<(), ApiError> {
        match self.role.as_str() {
            "author" | "maintainer" | "admin" => Ok(()),
            _ => Err(ApiError::forbidden("Your role only reads. Ask an administrator for the role `author`.")),
        }
    }
}

/// An API token: `cc_` and 43 characters.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", bearer_format = "cc_…", checker = "from_shell", rename = "token")]
pub(crate) struct Auth(pub(crate) Principal);

async fn from_shell(request: &Request, _bearer: Bearer) -> Option<Principal> {
    request.extensions().get::<Principal>().cloned()
}

/// Finds whom a request's token belongs to.
///
/// # Errors
/// If the database cannot be asked.
pub(crate) async fn principal(store: &Store, request: &Request) -> Result<Option<Principal>, StoreError> {
    let Some(header) = request.header("authorization") else {
        return Ok(None);
    };
    let Some((scheme, text)) = header.split_once(' ') else {
        return Ok(None);
    };
    let text = text.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || !token::is_well_formed(text) {
        return Ok(None);
    }
    Ok(store.principal_of_token(&token::hash(text)).await?.map(Principal::from))
}
