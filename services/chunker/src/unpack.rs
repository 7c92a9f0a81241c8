//! From a batch message to checked files.

use std::collections::HashSet;
use std::io;

use bytes::Bytes;
use caffeine_contract::{DecodeError, oid_field, table, uuid_field, v1};
use caffeine_model::{FileVersionId, Oid, PathError, RepoPath, RepositoryId};
use prost::Message;

/// A file to analyse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    pub(crate) id: FileVersionId,
    pub(crate) path: RepoPath,
    pub(crate) oid: Oid,
    pub(crate) content: Bytes,
}

/// Why a batch is not what it claims to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadBatch {
    #[error("a batch of {0} bytes is larger than any batch may be")]
    TooLarge(u32),
    #[error("decompress the batch")]
    Decompress(#[source] io::Error),
    #[error("the batch has {actual} bytes and claims {claimed}")]
    Length { claimed: u32, actual: usize },
    #[error("decode the batch")]
    Decode(#[from] DecodeError),
    #[error("use the path of file {0}")]
    Path(usize, #[source] PathError),
    #[error("file {0} has the identifier of another file")]
    WrongId(usize),
    #[error("file {0} is in the batch twice")]
    Twice(usize),
}

/// Decompresses and decodes a batch, never to more than a message may hold, and checks every file in it.
pub(crate) fn unpack(repository: RepositoryId, batch: &v1::FilesBatch) -> Result<Vec<InputFile>, BadBatch> {
    let claimed = batch.raw_bytes;
    let room = claimed as usize;
    if room > table::MAX_PAYLOAD {
        return Err(BadBatch::TooLarge(claimed));
    }
    let raw = zstd::bulk::decompress(&batch.files, room).map_err(BadBatch::Decompress)?;
    if raw.len() != room {
        return Err(BadBatch::Length { claimed, actual: raw.len() });
    }
    let set = v1::FileSet::decode(Bytes::from(raw)).map_err(DecodeError::from)?;
    let mut seen = HashSet::with_capacity(set.files.len());
    let mut files = Vec::with_capacity(set.files.len());
    for (position, file) in set.files.into_iter().enumerate() {
        let path = RepoPath::parse(file.path.as_bytes()).map_err(|error| BadBatch::Path(position, error))?;
        let oid = oid_field(&file.oid)?;
        let id = FileVersionId::from_uuid(uuid_field("file_version_id", &file.file_version_id)?);
        if id != FileVersionId::derive(repository, &path, oid) {
            return Err(BadBatch::WrongId(position));
        }
        if !seen.insert(id) {
            return Err(BadBatch::Twice(position));
        }
        files.push(InputFile { id, path, oid, content: file.content });
    }
    Ok(files)
}
