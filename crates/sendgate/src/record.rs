//! What left, for the ledger.

use serde::{Deserialize, Serialize};

use crate::Purpose;

/// Lines of a file that a request carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// The path within the repository.
    pub path: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, included.
    pub end_line: u32,
    /// The git object id of the file's content, in hexadecimal.
    pub oid: String,
}

/// How often a rule took something out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// The rule's name.
    pub rule: String,
    /// How many places.
    pub count: u32,
}

/// One call, as it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressRecord {
    /// [`crate::request_hash`] of what was sent: after redaction, without call-specific parts.
    pub request_hash: [u8; 32],
    /// What it was for.
    pub purpose: Purpose,
    /// The model that was asked.
    pub model: String,
    /// Bytes of text that left, all texts and titles together.
    pub bytes: u64,
    /// The repository lines among them.
    pub sources: Vec<SourceRef>,
    /// What was taken out, by rule in alphabetical order.
    pub redactions: Vec<Redaction>,
    /// How many hidden characters were dropped.
    pub dropped_characters: u64,
}
