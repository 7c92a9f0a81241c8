//! One question to the model, never paid for twice: take it in the ledger, send, store the answer, then use it.

use std::time::{Duration, Instant};

use caffeine_llm::{Block, FailedCall, LlmError, RetryCause, Usage, collect_with};
use caffeine_model::{DocumentId, RepositoryId};
use caffeine_sendgate::{GateError, GatedRequest, Prepared, SendGate, normalise, redact};
use caffeine_store::doc_writer::{CallEnd, CallLease, CallTurn, NewCall, Work};
use caffeine_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::Metrics;

/// How long the database is left alone when it could not store an answer.
const RETRY: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'parts> {
    /// The ledger.
    pub store: &'parts Store,
    /// The only door.
    pub gate: &'parts SendGate,
    /// What is counted.
    pub metrics: &'parts Metrics,
    /// The work it is for.
    pub work: Work,
    /// The repository whose text is sent.
    pub repository: RepositoryId,
    /// The document it is for.
    pub document: DocumentId,
    /// The page it is for.
    pub slug: &'parts str,
    /// How long others wait for an answer after the last sign of life.
    pub lease: Duration,
    /// The job may not go on.
    pub cancelled: &'parts CancellationToken,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The ledger cannot be read or written.
    #[error("use the ledger")]
    Store(#[from] StoreError),
    /// The request may not leave, or the model did not answer.
    #[error("ask the model")]
    Gate(#[from] GateError),
    /// The job was cancelled while the model wrote.
    #[error("cancelled")]
    Cancelled,
    /// Another copy of this work asks the same question now.
    #[error("asked by another copy of this work")]
    Taken,
}

impl Asker<'_> {
    /// The answer to a request: a stored one, or the model's.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(&self, gated: GatedRequest) -> Result<String, AskError> {
        let sources = ledger_sources(&gated);
        let prepared = self.gate.prepare(gated)?;
        let key = self.key(prepared.record().request_hash);
        let lease = CallLease { holder: Uuid::now_v7(), lasts: self.lease };
        match self.store.take_model_call(self.work, &self.ledger_row(key, &prepared, sources), &lease).await? {
            CallTurn::Ours => {}
            CallTurn::Taken => return Err(AskError::Taken),
            CallTurn::Answered(response) => {
                tracing::info!(slug = self.slug, "stored answer used");
                self.metrics.answered_before();
                return Ok(response);
            }
        }
        let (model, asked) = (prepared.record().model.clone(), Instant::now());
        let answer = tokio::select! {
            answer = self.send(prepared) => answer,
            () = self.lost(key, &lease) => return Err(AskError::Taken),
            () = self.cancelled.cancelled() => {
                let end = call_end(String::new(), "cancelled", Usage::default(), Some("cancelled".to_owned()));
                self.keep(key, &lease, &end).await?;
                return Err(AskError::Cancelled);
            }
        };
        let (end, error) = match answer {
            Ok((text, usage)) => (call_end(text, "end_turn", usage, None), None),
            Err(failed) => {
                let word = stop_word(&failed.error);
                let sentence = failed.error.to_string();
                (call_end(failed.text, word, failed.usage, Some(sentence)), Some(failed.error))
            }
        };
        let outcome = error.as_ref().map_or("ok", outcome_word);
        self.metrics.asked(&model, outcome, asked.elapsed(), end.input_tokens, end.output_tokens);
        self.keep(key, &lease, &end).await?;
        match error {
            None => Ok(end.response),
            Some(error) => Err(AskError::Gate(GateError::Model(error))),
        }
    }

    /// Stores how a call has ended: what was paid for is not given up because the database is away for a moment.
    async fn keep(&self, key: [u8; 32], lease: &CallLease, end: &CallEnd) -> Result<(), StoreError> {
        loop {
            match self.store.model_call_ended(self.work, key, lease, end).await {
                Err(error) if error.is_transient() && !self.cancelled.is_cancelled() => {
                    tracing::warn!(%error, slug = self.slug, "the end of a model call is not stored yet; trying again");
                }
                outcome => return outcome,
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = self.cancelled.cancelled() => {}
            }
        }
    }

    /// Keeps the lease; returns when somebody else has it. An outage of the database is no loss: the next sign of life
    /// may come in time.
    async fn lost(&self, key: [u8; 32], lease: &CallLease) {
        loop {
            tokio::time::sleep(lease.lasts / 3).await;
            match self.store.keep_model_call(self.work, key, lease).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, slug = self.slug, "the lease of a model call was not renewed"),
            }
        }
    }

    async fn send(&self, prepared: Prepared) -> Result<(String, Usage), FailedCall> {
        let failed = |error| FailedCall { error, text: String::new(), usage: Usage::default() };
        let stream = match self.gate.dispatch(prepared).await {
            Ok(stream) => stream,
            Err(GateError::Model(error)) => return Err(failed(error)),
            // The gate that prepared the request sends it, so its other errors were met before.
            Err(other) => {
                return Err(failed(LlmError::Reject { code: "gate".to_owned(), detail: other.to_string() }));
            }
        };
        let request_id = stream.request_id().map(str::to_owned);
        let completion = collect_with(stream, |_| {}).await?;
        tracing::info!(slug = self.slug, request_id, output_tokens = completion.usage.output_tokens, "model answered");
        Ok((completion.text, completion.usage))
    }

    /// The request's name within its repository: answers are not shared between repositories.
    fn key(&self, request_hash: [u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("caffeine 2026 model call");
        hasher.update(self.work.workspace.as_uuid().as_bytes());
        hasher.update(self.repository.as_uuid().as_bytes());
        hasher.update(&request_hash);
        *hasher.finalize().as_bytes()
    }

    fn ledger_row(&self, key: [u8; 32], prepared: &Prepared, sources: serde_json::Value) -> NewCall {
        let record = prepared.record();
        NewCall {
            key,
            repository: self.repository,
            document: self.document,
            slug: self.slug.to_owned(),
            purpose: record.purpose.as_str().to_owned(),
            model: record.model.clone(),
            sources,
        }
    }
}

/// The lines that leave, and how many places of each were taken out.
fn ledger_sources(gated: &GatedRequest) -> serde_json::Value {
    let blocks = gated.request.messages.iter().flat_map(|turn| &turn.blocks);
    let texts = blocks.filter_map(|block| match block {
        Block::Document { text, .. } => Some(text),
        Block::Text(_) => None,
    });
    gated
        .sources
        .iter()
        .zip(texts)
        .map(|(source, text)| {
            serde_json::json!({
                "path": source.path,
                "oid": source.oid,
                "start_line": source.start_line,
                "end_line": source.end_line,
                "redactions": redact(&normalise(text).text).findings.len(),
            })
        })
        .collect()
}

fn call_end(response: String, stop_reason: &str, usage: Usage, error: Option<String>) -> CallEnd {
    CallEnd {
        response,
        stop_reason: stop_reason.to_owned(),
        input_tokens: usage
            .input_tokens
            .saturating_add(usage.cache_creation_input_tokens)
            .saturating_add(usage.cache_read_input_tokens),
        output_tokens: usage.output_tokens,
        error,
    }
}

/// How a call without an answer ended, for those who watch the provider.
fn outcome_word(error: &LlmError) -> &'static str {
    match error {
        LlmError::Retry { cause: RetryCause::RateLimited, .. } => "rate_limited",
        LlmError::Retry { cause: RetryCause::Overloaded, .. } => "overloaded",
        LlmError::Retry { .. } => "unreachable",
        other => stop_word(other),
    }
}

fn stop_word(error: &LlmError) -> &'static str {
    match error {
        LlmError::Retry { .. } => "interrupted",
        LlmError::Repack => "context_window",
        LlmError::StopRun { .. } | LlmError::Auth => "refused_call",
        LlmError::Reject { .. } => "rejected",
        LlmError::Refused { .. } => "refusal",
        LlmError::Truncated => "max_tokens",
    }
}
