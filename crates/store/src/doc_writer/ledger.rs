//! The ledger of model calls: written before a call leaves, completed before its answer is used.

use caffeine_model::DocumentId;

use super::Work;
use crate::{Store, StoreError};

/// A call about to leave.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Names the request within its repository; equal requests have equal keys.
    pub key: [u8; 32],
    /// The repository whose text it carries.
    pub repository: caffeine_model::RepositoryId,
    /// The document it is for.
    pub document: DocumentId,
    /// The page it is for.
    pub slug: String,
    /// What it is for, as a word.
    pub purpose: String,
    /// The model that is asked.
    pub model: String,
    /// What leaves the house.
    pub sources: serde_json::Value,
}

/// A call that may have left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// `sent`, `done` or `failed`.
    pub state: String,
    /// The answer of a call that is done.
    pub response: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct CallEnd {
    /// Everything that arrived.
    pub response: String,
    /// Why it ended, as a word.
    pub stop_reason: String,
    /// Tokens of the whole input, as the provider counts them.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// What went wrong; `None` if the answer is whole.
    pub error: Option<String>,
}

impl Store {
    /// What the ledger knows about a request of this workspace.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn model_call(&self, work: Work, key: [u8; 32]) -> Result<Option<CallRow>, StoreError> {
        Ok(sqlx::query_as!(
            CallRow,
            "SELECT state, response FROM llm_calls WHERE request_hash = $1 AND workspace_id = $2",
            &key[..],
            work.workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Writes down that a call leaves now. A call that is done already stays done.
    ///
    /// # Errors
    /// [`StoreError::ReferenceGone`] if the repository is gone.
    pub async fn model_call_leaves(&self, work: Work, call: &NewCall) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO llm_calls AS c (request_hash, workspace_id, repository_id, run_id, document_id, slug, purpose, \
             model, state, sources) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'sent', $9) \
             ON CONFLICT (request_hash) DO UPDATE SET state = 'sent', run_id = $4, document_id = $5, slug = $6, \
             error = NULL, sent_at = now(), ended_at = NULL WHERE c.state <> 'done'",
            &call.key[..],
            work.workspace.as_uuid(),
            call.repository.as_uuid(),
            work.run.as_uuid(),
            call.document.as_uuid(),
            call.slug,
            call.purpose,
            call.model,
            call.sources
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes down how a call ended, whole or not.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn model_call_ended(&self, work: Work, key: [u8; 32], end: &CallEnd) -> Result<(), StoreError> {
        let tokens = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let state = if end.error.is_some() { "failed" } else { "done" };
        // PostgreSQL stores no NUL.
        let response = end.response.replace('\0', "");
        sqlx::query!(
            "UPDATE llm_calls SET state = $3, response = $4, stop_reason = $5, input_tokens = $6, output_tokens = $7, \
             error = $8, ended_at = now() WHERE request_hash = $1 AND workspace_id = $2 AND state <> 'done'",
            &key[..],
            work.workspace.as_uuid(),
            state,
            response,
            end.stop_reason,
            tokens(end.input_tokens),
            tokens(end.output_tokens),
            end.error
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
