//! Whoever a request comes from.

use std::net::IpAddr;

use caffeine_model::{SessionId, TokenId, UserId, WorkspaceId};
use caffeine_store::gateway::{Actor, PrincipalRow};
use chrono::{DateTime, Utc};

use crate::domain::role::{Right, Role, Scope};

/// Whoever a request comes from. The shell puts it into the request before any handler sees it.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) workspace: WorkspaceId,
    pub(crate) workspace_name: String,
    pub(crate) user: UserId,
    pub(crate) display_name: String,
    pub(crate) role: Role,
    /// What the token allows at most.
    pub(crate) scope: Scope,
    /// The token, or the one that the session was opened with.
    pub(crate) token: Option<TokenId>,
    /// When that token ends.
    pub(crate) token_expires_at: Option<DateTime<Utc>>,
    pub(crate) session: Option<SessionId>,
    pub(crate) expires_at: DateTime<Utc>,
    /// Where the request comes from.
    pub(crate) ip: Option<IpAddr>,
}

impl Principal {
    /// `None` if the row holds words that this program does not know: then it knows nothing that they allow either.
    pub(crate) fn new(row: PrincipalRow, ip: Option<IpAddr>) -> Option<Self> {
        let scope = match &row.scopes {
            None => Scope::Admin,
            Some(words) => words.iter().filter_map(|word| Scope::parse(word)).max()?,
        };
        Some(Self {
            workspace: row.workspace,
            workspace_name: row.workspace_name,
            user: row.user,
            display_name: row.display_name,
            role: row.role.parse().ok()?,
            scope,
            token: row.token,
            token_expires_at: row.token_expires_at,
            session: row.session,
            expires_at: row.expires_at,
            ip,
        })
    }

    /// For the audit log.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            workspace: self.workspace,
            user: Some(self.user),
            name: self.display_name.clone(),
            ip: self.ip.map(|ip| ip.to_string()),
        }
    }

    /// Why something is not allowed; `None` if it is.
    pub(crate) fn lacks(&self, right: Right) -> Option<String> {
        if !self.role.may(right) {
            let (role, lowest) = (self.role, right.lowest_role());
            return Some(format!(
                "Your role `{role}` does not allow this. Ask an administrator for the role `{lowest}`."
            ));
        }
        if self.scope < right.scope() {
            let (scope, needed) = (self.scope.as_str(), right.scope().as_str());
            return Some(format!("This token's scope `{scope}` does not allow this. Use one with `{needed}`."));
        }
        None
    }
}
