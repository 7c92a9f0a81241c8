//! The door itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use caffeine_llm::{Block, LlmClient, LlmError, LlmRequest, LlmStream};
use serde::{Deserialize, Serialize};

use crate::redact::Redactor;
use crate::{EgressRecord, Redaction, SourceRef, is_denied_path, normalise, request_hash};

/// Whether text may leave at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EgressPolicy {
    /// Nothing leaves. Documents come from the analysis alone.
    None,
    /// Text may go to the model that the operator configured.
    Approved,
}

/// What a call is for, as the ledger names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// A page written from a prompt template.
    Template,
    /// A page of the planned documentation.
    Page,
    /// A check that the model answers, without any repository text.
    Probe,
}

impl Purpose {
    /// The name in rows and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Page => "page",
            Self::Probe => "probe",
        }
    }
}

/// A request that wants to leave.
#[derive(Debug, Clone)]
pub struct GatedRequest {
    /// What it is for.
    pub purpose: Purpose,
    /// Every piece of the repository that the request carries.
    pub sources: Vec<SourceRef>,
    /// What to ask.
    pub request: LlmRequest,
}

/// Why a request did not leave, or left in vain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The policy lets nothing leave.
    #[error("sending text to a model is switched off")]
    Forbidden,
    /// No model is configured.
    #[error("no model is configured")]
    NoClient,
    /// A source is a file that never leaves; the caller should have left it out.
    #[error("a file that holds secrets was to be sent")]
    DeniedPath {
        /// The file's path within the repository.
        path: String,
    },
    /// The request carries documents but names no source.
    #[error("repository text was to be sent without naming its source")]
    Unsourced,
    /// The request left, and the model did not answer.
    #[error("ask the model")]
    Model(#[from] LlmError),
}

/// A request that may leave: cleaned, hashed and recorded, not yet sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    request: LlmRequest,
    record: EgressRecord,
}

impl Prepared {
    /// What will be on record. Store it before [`SendGate::dispatch`].
    #[must_use]
    pub fn record(&self) -> &EgressRecord {
        &self.record
    }

    /// What will be sent.
    #[must_use]
    pub fn request(&self) -> &LlmRequest {
        &self.request
    }
}

/// The only holder of a model client.
#[derive(Clone)]
pub struct SendGate {
    policy: EgressPolicy,
    client: Option<Arc<dyn LlmClient>>,
}

impl SendGate {
    /// A gate in front of the client, if there is one.
    #[must_use]
    pub fn new(policy: EgressPolicy, client: Option<Arc<dyn LlmClient>>) -> Self {
        Self { policy, client }
    }

    /// Whether a request could leave at all: the policy allows it and a model is configured.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.policy == EgressPolicy::Approved && self.client.is_some()
    }

    /// Checks and cleans a request without sending it.
    ///
    /// # Errors
    /// Any [`GateError`] but [`GateError::Model`].
    pub fn prepare(&self, gated: GatedRequest) -> Result<Prepared, GateError> {
        self.client()?;
        let GatedRequest { purpose, sources, mut request } = gated;
        if let Some(source) = sources.iter().find(|source| is_denied_path(&source.path)) {
            return Err(GateError::DeniedPath { path: source.path.clone() });
        }
        let has_documents = blocks(&mut request).any(|block| matches!(block, Block::Document { .. }));
        if has_documents && sources.is_empty() {
            return Err(GateError::Unsourced);
        }
        let cleaned = clean(&mut request);
        let record = EgressRecord {
            request_hash: request_hash(&request),
            purpose,
            model: request.model.clone(),
            bytes: cleaned.bytes,
            sources,
            redactions: cleaned.redactions,
            dropped_characters: cleaned.dropped_characters,
        };
        Ok(Prepared { request, record })
    }

    /// Sends a prepared request.
    ///
    /// # Errors
    /// [`GateError::Model`] with what the client says; [`GateError::Forbidden`] and
    /// [`GateError::NoClient`] if another gate prepared it.
    pub async fn dispatch(&self, prepared: Prepared) -> Result<LlmStream, GateError> {
        Ok(self.client()?.stream(prepared.request).await?)
    }

    /// Prepares and sends in one go, for callers without a ledger.
    ///
    /// # Errors
    /// Any [`GateError`].
    pub async fn send(&self, gated: GatedRequest) -> Result<(LlmStream, EgressRecord), GateError> {
        let prepared = self.prepare(gated)?;
        let record = prepared.record.clone();
        Ok((self.dispatch(prepared).await?, record))
    }

    fn client(&self) -> Result<&Arc<dyn LlmClient>, GateError> {
        match self.policy {
            EgressPolicy::None => Err(GateError::Forbidden),
            EgressPolicy::Approved => self.client.as_ref().ok_or(GateError::NoClient),
        }
    }
}

impl std::fmt::Debug for SendGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendGate").field("policy", &self.policy).field("has_client", &self.client.is_some()).finish()
    }
}

/// What cleaning a request did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What was taken out, by rule in alphabetical order.
    pub redactions: Vec<Redaction>,
    /// How many hidden characters were dropped.
    pub dropped_characters: u64,
    /// Bytes of text that are left.
    pub bytes: u64,
}

/// Cleans a request as the gate does on its way out: for whoever shows beforehand what would leave.
pub fn clean(request: &mut LlmRequest) -> Cleaned {
    let mut cleaner = Cleaner::default();
    for text in &mut request.system {
        cleaner.clean(text);
    }
    for block in blocks(request) {
        match block {
            Block::Text(text) => cleaner.clean(text),
            Block::Document { title, text } => {
                cleaner.clean(title);
                cleaner.clean(text);
            }
        }
    }
    let counts = cleaner.counts.into_iter();
    Cleaned {
        redactions: counts.map(|(rule, count)| Redaction { rule: rule.to_owned(), count }).collect(),
        dropped_characters: cleaner.dropped,
        bytes: cleaner.bytes,
    }
}

fn blocks(request: &mut LlmRequest) -> impl Iterator<Item = &mut Block> {
    request.messages.iter_mut().flat_map(|turn| &mut turn.blocks)
}

/// Cleans the texts of one request and adds up what it did.
#[derive(Default)]
struct Cleaner {
    redactor: Redactor,
    counts: BTreeMap<&'static str, u32>,
    dropped: u64,
    bytes: u64,
}

impl Cleaner {
    fn clean(&mut self, text: &mut String) {
        // Hidden characters go first: they would break up a secret and save it from its rule.
        let normalised = normalise(text);
        self.dropped += normalised.dropped;
        let redacted = self.redactor.redact(&normalised.text);
        for finding in redacted.findings {
            *self.counts.entry(finding.rule).or_default() += 1;
        }
        *text = redacted.text;
        self.bytes += text.len() as u64;
    }
}
