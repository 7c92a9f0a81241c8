//! A prompt template as it is asked with.

use serde::{Deserialize, Serialize};

/// A prompt template as it was asked for; the form stored with the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The template's version, for the record.
    pub version: Option<uuid::Uuid>,
    /// Its name.
    pub name: String,
    /// What goes into the system part.
    pub system: String,
    /// The body, with placeholders.
    pub body: String,
    /// Value of `{style}`.
    pub style: String,
    /// Value of `{output_language}`.
    pub output_language: String,
    /// What to look for; the name if empty.
    pub query: String,
    /// The model; the installation's default if empty.
    pub model: String,
}

impl Template {
    /// What to look for in the index.
    #[must_use]
    pub fn question(&self) -> &str {
        if self.query.trim().is_empty() { &self.name } else { &self.query }
    }
}
