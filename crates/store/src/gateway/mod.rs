//! What the gateway stores and reads: identities, repositories, runs, prompts, the outbox; and its readings of what
//! the other services wrote.
//!
//! Locks are taken in one order: a run that works, the repository, a run that is queued. `FOR NO KEY UPDATE`, so that rows of other services that hang
//! on a run or a repository by foreign key do not wait.

mod audit;
mod credentials;
mod deletion;
mod documents;
mod idempotency;
mod identity;
mod outbox;
mod page;
mod projection;
mod prompts;
mod repositories;
mod run_create;
mod run_start;
mod run_work;
mod runs;
mod search;
mod sessions;
mod tokens;
mod tree;
mod users;
mod webhooks;

pub use audit::{Actor, AuditCheck, AuditFilter, AuditRow, Entry};
pub use credentials::{CredentialRow, NewCredential};
pub use deletion::DeleteCommand;
pub use documents::{DocumentRow, PageEntryRow, PageRow, SourceRow};
pub use idempotency::Once;
pub use identity::{NewToken, PrincipalRow};
pub use outbox::{OutboxBody, OutboxRow};
pub use page::{Cursor, Page};
pub use projection::{Applied, Change, Fact, FailureText};
pub use prompts::{BuiltInTemplate, NewVersion, TemplateRow, VersionRow};
pub use repositories::{NewRepository, RepositoryRow};
pub use run_start::{DocumentStart, RunStart, TemplateStart};
pub use run_work::{Again, AttemptRow, BatchRow, LinkRow, NamedRunRow, PageWorkRow, Retried};
pub use runs::{Created, EventRow, NewDocument, NewRun, RunDocumentRow, RunMark, RunRow, Versions};
pub use search::HitRow;
pub use sessions::{LivingCredentials, OpenedSession, SessionLife, SessionRow};
pub use tokens::TokenRow;
pub use tree::{BlobRow, CitingPageRow, FileRow, LanguageRow, SnapshotRow, SymbolRow};
pub use users::{ProviderUser, SignedIn, UserChange, UserChanged, UserRow};
pub use webhooks::{Delivered, HookRow, NewDelivery, WebhookRow};
