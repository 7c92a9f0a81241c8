//! Opens credentials: the only place where a sealed box meets the key.

use std::sync::Arc;

use caffeine_bus::Failure;
use caffeine_kit::store_failure;
use caffeine_model::{CredentialId, WorkspaceId};
use caffeine_sealed::{Binding, KeyError, OpenError, PrivateKey, open};
use caffeine_store::{Store, StoreError};
use secrecy::{ExposeSecret as _, SecretString};

use crate::CloneError;
use crate::source::{Credential, HostPort};

/// Reads and opens credentials.
#[derive(Debug, Clone)]
pub struct Vault {
    store: Store,
    key: Option<PrivateKey>,
}

impl Vault {
    /// A vault with the key of the settings, if there is one.
    ///
    /// # Errors
    /// If the key is none.
    pub fn new(store: Store, key: Option<&SecretString>) -> Result<Self, KeyError> {
        let text = key.map(|key| key.expose_secret().trim()).filter(|text| !text.is_empty());
        Ok(Self { store, key: text.map(str::parse).transpose()? })
    }

    /// The credential that a message names; an empty name is none.
    ///
    /// # Errors
    /// If the database cannot be asked, or a refusal that says what is wrong with the credential.
    pub(crate) async fn credential(
        &self,
        workspace: WorkspaceId,
        id: &[u8],
    ) -> Result<Option<Arc<Credential>>, VaultError> {
        if id.is_empty() {
            return Ok(None);
        }
        let refused = |code, reason: &str| VaultError::Refused(CloneError::refused(code, reason));
        let gone = || {
            let reason = "The credential of the repository was deleted: name another one and start a new run";
            refused("credential_gone", reason)
        };
        let id = uuid::Uuid::from_slice(id).map(CredentialId::from_uuid).map_err(|_| gone())?;
        let row = self.store.sealed_credential(workspace, id).await?.ok_or_else(gone)?;
        let Some(key) = &self.key else {
            let reason = "The cloner has no key for credentials: ask the operator to set `credential_key`";
            return Err(refused("credentials_off", reason));
        };
        let damaged = || refused("credential_damaged", "The stored credential cannot be opened: replace its secret");
        let kind = row.kind.parse().map_err(|_| damaged())?;
        let host = HostPort::parse(&row.host).map_err(|_| damaged())?;
        let binding = Binding { workspace, credential: id, kind, host: &row.host };
        match open(key, &binding, &row.sealed) {
            Ok(secret) => Ok(Some(Arc::new(Credential::new(host, secret)))),
            Err(OpenError::OtherKey) => {
                let reason = "The credential was sealed to another key than the cloner has now: replace its secret";
                Err(refused("credential_sealed_otherwise", reason))
            }
            Err(OpenError::Closed) => Err(damaged()),
        }
    }
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refused(#[from] CloneError),
}

impl VaultError {
    /// What it means for a message that failed `attempts` times before.
    pub(crate) fn into_failure(self, attempts: u32) -> Failure {
        match self {
            Self::Store(error) => store_failure(error),
            Self::Refused(error) => error.into_failure(attempts),
        }
    }
}
