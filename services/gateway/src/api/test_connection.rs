//! Whether an address can be read, before anything is added. The cloner looks; nothing is stored.

use std::time::Duration;

use caffeine_bus::Outgoing;
use caffeine_contract::{Scope, id_bytes, v1};
use caffeine_model::{Generation, Lane, RepositoryId, RunId};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::{ApiError, App, Tag};
use crate::domain::target::{self, Opener};

/// How long somebody waits for an answer. Longer than the cloner waits for a host.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct TestConnectionApi {
    pub(crate) app: App,
}

/// An address to be tried.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct TestConnection {
    /// As for adding a repository.
    url: String,
    /// Identifier of the credential that its host asks for.
    credential: Option<Uuid>,
}

/// What the cloner found.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct ConnectionTest {
    /// Whether it can be cloned.
    readable: bool,
    /// The full name of its default branch, if the host tells.
    default_ref: Option<String>,
    /// Why not, in a stable word.
    code: Option<String>,
    /// Why not, and what to do.
    reason: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Repositories")]
impl TestConnectionApi {
    /// Test a connection
    ///
    /// Looks whether a repository can be read from where the cloner is, with a credential or without. Answers within a
    /// minute.
    #[oai(path = "/repositories/test-connection", method = "post", operation_id = "test_connection")]
    async fn test(&self, auth: Auth, body: Body<TestConnection>) -> Result<Json<ConnectionTest>, ApiError> {
        let credential = self.app.named_credential(&auth.0, body.credential).await?;
        let opener = credential.as_ref().map(|row| Opener { kind: &row.kind, host: &row.host });
        let target = target::check(&body.url, opener)
            .map_err(|error| ApiError::refused(error.code(), error.pointer(), error.to_string()))?;
        let probe = v1::CloneProbe {
            scope: None,
            probe_id: id_bytes(Uuid::now_v7()),
            url: target.url,
            credential_id: credential.map(|row| id_bytes(row.id.as_uuid())).unwrap_or_default(),
        };
        let scope = Scope {
            workspace: auth.0.workspace,
            // Of nothing that exists: a test belongs to no repository and no run.
            repository: RepositoryId::generate(),
            run: RunId::generate(),
            generation: Generation(0),
            lane: Lane::Interactive,
            analyser: self.app.versions.analyser.clone(),
            embedding_model: self.app.versions.embedding_model.clone(),
        };
        // Before the question, or the answer could be missed.
        let mut answers = self.app.live.subscribe_to_probes();
        let asked = probe.probe_id.clone();
        self.app.bus.try_publish(&Outgoing::new(&scope, probe)).await.map_err(|error| ApiError::broker_away(&error))?;
        let answer = tokio::time::timeout(PATIENCE, async {
            loop {
                match answers.recv().await {
                    Ok(answer) if answer.probe_id == asked => return Some(answer),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        Ok(Json(match answer.await.ok().flatten() {
            Some(v1::ProbeAnswered { failure: None, default_ref, .. }) => ConnectionTest {
                readable: true,
                default_ref: (!default_ref.is_empty()).then_some(default_ref),
                code: None,
                reason: None,
            },
            Some(v1::ProbeAnswered { failure: Some(failure), .. }) => not_readable(failure.code, failure.reason),
            None => not_readable(
                "no_answer".to_owned(),
                "No cloner has answered within a minute: try again, or look whether one is running".to_owned(),
            ),
        }))
    }
}

fn not_readable(code: String, reason: String) -> ConnectionTest {
    ConnectionTest { readable: false, default_ref: None, code: Some(code), reason: Some(reason) }
}
