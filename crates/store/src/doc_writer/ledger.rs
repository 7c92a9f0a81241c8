//! The ledger of model calls: written before a call leaves, completed before its answer is used.

use std::time::Duration;

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

/// What the ledger says to somebody who wants to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallTurn {
    /// Nobody asks: the call is ours until the lease ends.
    Ours,
    /// Somebody else asks now.
    Taken,
    /// It was asked before, and this is the answer.
    Answered(String),
}

/// Who asks, and how long others wait if that is the last they hear.
#[derive(Debug, Clone, Copy)]
pub struct CallLease {
    /// One asking, told apart from every other.
    pub holder: uuid::Uuid,
    /// From each sign of life.
    pub lasts: Duration,
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
    /// Takes a call before it leaves, unless it was answered or another holder's lease lasts. The lease is counted by
    /// the database's clock.
    ///
    /// # Errors
    /// [`StoreError::ReferenceGone`] if the repository is gone.
    pub async fn take_model_call(&self, work: Work, call: &NewCall, lease: &CallLease) -> Result<CallTurn, StoreError> {
        let taken = sqlx::query!(
            "INSERT INTO llm_calls AS c (request_hash, workspace_id, repository_id, run_id, document_id, slug, purpose, \
             model, state, sources, holder, lease_until) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'sent', $9, $10, now() + make_interval(secs => $11)) \
             ON CONFLICT (request_hash) DO UPDATE SET state = 'sent', run_id = $4, document_id = $5, slug = $6, \
             error = NULL, sent_at = now(), ended_at = NULL, holder = $10, lease_until = excluded.lease_until \
             WHERE c.state <> 'done' AND (c.lease_until IS NULL OR c.lease_until < now())",
            &call.key[..],
            work.workspace.as_uuid(),
            call.repository.as_uuid(),
            work.run.as_uuid(),
            call.document.as_uuid(),
            call.slug,
            call.purpose,
            call.model,
            call.sources,
            lease.holder,
            lease.lasts.as_secs_f64()
        )
        .execute(&self.pool)
        .await?;
        if taken.rows_affected() == 1 {
            return Ok(CallTurn::Ours);
        }
        // A statement of its own sees what another holder committed while the first one waited.
        let answer = sqlx::query_scalar!(
            "SELECT response FROM llm_calls WHERE request_hash = $1 AND workspace_id = $2 AND state = 'done'",
            &call.key[..],
            work.workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(answer.flatten().map_or(CallTurn::Taken, CallTurn::Answered))
    }

    /// Makes a lease last anew; `false` if it is not ours any more.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn keep_model_call(&self, work: Work, key: [u8; 32], lease: &CallLease) -> Result<bool, StoreError> {
        let kept = sqlx::query!(
            "UPDATE llm_calls SET lease_until = now() + make_interval(secs => $4) \
             WHERE request_hash = $1 AND workspace_id = $2 AND holder = $3 AND state = 'sent'",
            &key[..],
            work.workspace.as_uuid(),
            lease.holder,
            lease.lasts.as_secs_f64()
        )
        .execute(&self.pool)
        .await?;
        Ok(kept.rows_affected() == 1)
    }

    /// Writes down how a call ended, whole or not, and ends its lease. A whole answer counts whoever holds the lease by
    /// now; a failure does not end another holder's.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn model_call_ended(
        &self,
        work: Work,
        key: [u8; 32],
        lease: &CallLease,
        end: &CallEnd,
    ) -> Result<(), StoreError> {
        let tokens = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let state = if end.error.is_some() { "failed" } else { "done" };
        // PostgreSQL stores no NUL.
        let response = end.response.replace('\0', "");
        sqlx::query!(
            "UPDATE llm_calls SET state = $3, response = $4, stop_reason = $5, input_tokens = $6, output_tokens = $7, \
             error = $8, ended_at = now(), holder = NULL, lease_until = NULL \
             WHERE request_hash = $1 AND workspace_id = $2 AND state <> 'done' AND (holder = $9 OR $3 = 'done')",
            &key[..],
            work.workspace.as_uuid(),
            state,
            response,
            end.stop_reason,
            tokens(end.input_tokens),
            tokens(end.output_tokens),
            end.error,
            lease.holder
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
