//! Credentials as the cloner reads them. The gateway writes them.

use caffeine_model::{CredentialId, WorkspaceId};

use crate::{Store, StoreError};

/// A credential in its box, with what it is sealed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCredential {
    /// Its kind in one word.
    pub kind: String,
    /// The only `host:port` it may be shown to.
    pub host: String,
    /// The box.
    pub sealed: Vec<u8>,
}

impl Store {
    /// A credential of a workspace, `None` if it was deleted.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn sealed_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<SealedCredential>, StoreError> {
        let row = sqlx::query_as!(
            SealedCredential,
            "SELECT kind, host, sealed FROM credentials WHERE workspace_id = $1 AND credential_id = $2",
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }
}
