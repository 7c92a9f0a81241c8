//! The registry of identifiers. Each is a UUID; new ones are version 7, so they sort by creation time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text or byte string that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID")]
pub struct IdError(pub String);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an existing UUID, for instance one read from a row.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// A new identifier, ordered by time (UUID version 7).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError(text.to_owned()))
            }
        }
    )*};
}

ids! {
    /// One row of the audit log.
    AuditEntryId;
    /// A credential for a git host, sealed to the cloner.
    CredentialId;
    /// One documentation to be written for a run (structural, or from a template version).
    DocumentId;
    /// One row of the gateway's outbox.
    OutboxId;
    /// One git repository of a workspace.
    RepositoryId;
    /// One processing of one commit. Everything the pipeline does is keyed by it.
    RunId;
    /// A person who has signed in with a browser.
    SessionId;
    /// A prompt template.
    TemplateId;
    /// An immutable version of a prompt template.
    TemplateVersionId;
    /// An API token.
    TokenId;
    /// A person or a machine that signs in.
    UserId;
    /// A hook that a git host calls.
    WebhookId;
    /// A tenant: every row belongs to exactly one.
    WorkspaceId;
}
