//! The only door to a model: what may leave the house, and the record of what did.
//!
//! # Purpose
//! [`SendGate`] holds the model client; nothing else does. Each call names its purpose and the
//! lines of the repository it carries, and on its way out it passes, in this order:
//! 1. the policy: with [`EgressPolicy::None`] nothing leaves, whatever is configured elsewhere;
//! 2. the paths: files that exist to hold secrets never leave ([`is_denied_path`]);
//! 3. normalisation: characters that hide text from people are dropped ([`normalise`]);
//! 4. redaction: secrets are replaced in place, line by line ([`redact`]);
//! 5. the record: an [`EgressRecord`] says what left, for the caller's ledger.
//!
//! [`SendGate::prepare`] does all of this without sending, so that a caller can look up a stored
//! answer and write its ledger first; [`SendGate::dispatch`] sends. [`SendGate::send`] is both.
//!
//! # Non-goals
//! - Storing the record, budgets and answers: the caller's, in its own transaction.
//! - Judging text. Instructions hidden in a repository are fenced as data, and the model has no
//!   tools; the gate does not guess at intentions.
//! - Finding every secret. The rules know common shapes and names; a password that looks like an
//!   ordinary word passes. Policy and paths are the strong walls.
//!
//! # Invariants
//! - No byte reaches the client unless its request came through the gate.
//! - Redaction and normalisation keep the number of lines, so line citations stay true.
//! - A replacement tells nothing of the secret: its number is the order of appearance within the
//!   call, equal secrets have equal numbers.
//! - No finding, record, error or log line holds a secret or a piece of one.
//! - Any text is accepted; the work is linear in it.
//!
//! # To add a rule
//! Add a line to the table in `rules.rs` and a case to its test, one that must be found and one
//! that looks alike and must not be.

mod gate;
mod hash;
mod keys;
mod normalise;
mod path;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod record;
mod redact;
mod rules;

pub use gate::{Cleaned, EgressPolicy, GateError, GatedRequest, Prepared, Purpose, SendGate, clean};
pub use hash::request_hash;
pub use normalise::{Normalised, normalise};
pub use path::is_denied_path;
pub use record::{EgressRecord, Redaction, SourceRef};
pub use redact::{Finding, Redacted, Redactor, redact};
