//! `clone.probe`: can this address be read? Nobody waits for long, and nothing is stored.

use async_trait::async_trait;
use bytes::Bytes;
use caffeine_bus::{Bus, Failure, Handler, Job, Outgoing, Rejection};
use caffeine_contract::v1;

use crate::fetcher::{Fetcher, Source};
use crate::messages::failure;
use crate::vault::{Vault, VaultError};

/// Answers tests of a connection with an event.
pub(crate) struct ProbeHandler {
    pub(crate) bus: Bus,
    pub(crate) fetcher: Fetcher,
    pub(crate) vault: Vault,
}

#[async_trait]
impl Handler<v1::CloneProbe> for ProbeHandler {
    async fn handle(&self, job: &Job, message: v1::CloneProbe) -> Result<Vec<Outgoing>, Failure> {
        // One try, and no dead letter: the person who asks wants to know about this moment.
        let workspace = job.scope.workspace;
        let looked = match self.vault.credential(workspace, &message.credential_id).await {
            Ok(credential) => {
                let source = Source { workspace, address: message.url, credential };
                self.fetcher.probe(&source, job.cancelled()).await
            }
            Err(VaultError::Refused(refused)) => Err(refused),
            Err(error @ VaultError::Store(_)) => return Err(error.into_failure(job.attempts)),
        };
        let (failure, default_ref) = match looked {
            Ok(default_ref) => (None, default_ref.unwrap_or_default()),
            Err(error) => (Some(error.to_wire()), String::new()),
        };
        self.answer(job, message.probe_id, failure, default_ref);
        Ok(Vec::new())
    }

    async fn reject(
        &self,
        job: &Job,
        message: Option<v1::CloneProbe>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        if let Some(message) = message {
            self.answer(job, message.probe_id, Some(failure(rejection)), String::new());
        }
        Ok(Vec::new())
    }
}

impl ProbeHandler {
    fn answer(&self, job: &Job, probe_id: Bytes, failure: Option<v1::Failure>, default_ref: String) {
        let answered = v1::ProbeAnswered { probe_id, failure, default_ref };
        let event =
            v1::Event { scope: Some(job.scope.to_wire()), event: Some(v1::event::Event::ProbeAnswered(answered)) };
        self.bus.emit("probe_answered", event);
    }
}
