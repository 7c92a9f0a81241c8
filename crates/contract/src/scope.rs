//! The scope of a message: whose run it belongs to.

use bytes::Bytes;
use caffeine_model::{Generation, IdError, Lane, Oid, OidError, RepositoryId, RunId, WorkspaceId};

use crate::v1;

/// Why a body is not what it claims to be. Such a message is dead: no retry helps.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf of this message.
    #[error("decode protobuf")]
    Protobuf(#[from] prost::DecodeError),
    /// A required field is absent.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// Not the 16 bytes of an identifier.
    #[error("field `{0}` is not an identifier of 16 bytes")]
    Identifier(&'static str),
    /// A header that is no identifier.
    #[error(transparent)]
    Text(#[from] IdError),
    /// Not the 20 bytes of an object id.
    #[error(transparent)]
    Oid(#[from] OidError),
    /// Any other rule of the message.
    #[error("field `{field}` {problem}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// What every message of a run carries, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The repository.
    pub repository: RepositoryId,
    /// The run.
    pub run: RunId,
    /// How often this work has been asked again.
    pub generation: Generation,
    /// The lane.
    pub lane: Lane,
    /// Version of the analyser that the run is fixed to.
    pub analyser: String,
    /// Embedding model that the run is fixed to.
    pub embedding_model: String,
}

impl Scope {
    /// The same scope in another lane. The cloner decides it once the plan is known.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// The wire form.
    #[must_use]
    pub fn to_wire(&self) -> v1::Scope {
        v1::Scope {
            workspace_id: id_bytes(self.workspace.as_uuid()),
            repository_id: id_bytes(self.repository.as_uuid()),
            run_id: id_bytes(self.run.as_uuid()),
            generation: self.generation.0,
            lane: match self.lane {
                Lane::Interactive => v1::Lane::Interactive.into(),
                Lane::Bulk => v1::Lane::Bulk.into(),
            },
            analyser: self.analyser.clone(),
            embedding_model: self.embedding_model.clone(),
        }
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// If an identifier or the lane is missing or malformed.
    pub fn from_wire(wire: &v1::Scope) -> Result<Self, DecodeError> {
        Ok(Self {
            workspace: WorkspaceId::from_uuid(uuid_field("scope.workspace_id", &wire.workspace_id)?),
            repository: RepositoryId::from_uuid(uuid_field("scope.repository_id", &wire.repository_id)?),
            run: RunId::from_uuid(uuid_field("scope.run_id", &wire.run_id)?),
            generation: Generation(wire.generation),
            lane: match wire.lane() {
                v1::Lane::Interactive => Lane::Interactive,
                v1::Lane::Bulk => Lane::Bulk,
                v1::Lane::Unspecified => return Err(DecodeError::Missing("scope.lane")),
            },
            analyser: wire.analyser.clone(),
            embedding_model: wire.embedding_model.clone(),
        })
    }
}

/// The 16 bytes of an identifier, for a field of a message.
#[must_use]
pub fn id_bytes(uuid: uuid::Uuid) -> Bytes {
    Bytes::copy_from_slice(uuid.as_bytes())
}

/// Reads an identifier from a field of a message.
///
/// # Errors
/// If there are not exactly 16 bytes.
pub fn uuid_field(field: &'static str, bytes: &[u8]) -> Result<uuid::Uuid, DecodeError> {
    uuid::Uuid::from_slice(bytes).map_err(|_| DecodeError::Identifier(field))
}

/// Reads a git object id from a field of a message.
///
/// # Errors
/// If there are not exactly 20 bytes.
pub fn oid_field(bytes: &[u8]) -> Result<Oid, DecodeError> {
    Ok(Oid::from_bytes(bytes)?)
}
