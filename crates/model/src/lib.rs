//! Words of the domain: typed identifiers, paths, lanes and the state of a run.
//!
//! Purpose: whatever crosses a crate border has a type here, so that a repository id does not fit where a run id
//! goes and a path has been checked before anybody uses it.
//!
//! Non-goals: no IO, no clocks, no wire format (see `caffeine-contract`), no SQL (see `caffeine-store`).
//!
//! Invariants:
//! - A [`RepoPath`] is relative, UTF-8, free of `..`, NUL and control characters, and is never opened on a disk.
//! - [`WorkId`] depends on the work alone; [`MessageId`] adds the generation. The broker sees the second, inboxes
//!   and fan-in see the first, so a repeat of another generation finds the rows of the first one.
//! - [`RunState`] only moves forward.
//!
//! To add an identifier, add a line to the list in `id.rs`.

mod file_version;
mod id;
mod lane;
mod path;
mod run;
mod service;
mod ssh_address;
mod versions;
mod work;

pub use file_version::{FileVersionId, Oid, OidError};
pub use id::{
    AuditEntryId, CredentialId, DocumentId, IdError, OutboxId, RepositoryId, RunId, SessionId, TemplateId,
    TemplateVersionId, TokenId, UserId, WebhookId, WorkspaceId,
};
pub use lane::{Lane, LaneError};
pub use path::{PathError, RepoPath};
pub use run::{DocumentState, RunState, StateError};
pub use service::Service;
pub use ssh_address::{SshAddress, SshAddressError};
pub use versions::{ANALYSER, EMBEDDING_MODEL};
pub use work::{Generation, MessageId, WorkId};
