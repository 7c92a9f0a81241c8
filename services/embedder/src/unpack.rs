//! From a batch message to checked files.

use std::collections::HashSet;
use std::io;

use bytes::Bytes;
use caffeine_contract::{DecodeError, table, uuid_field, v1};
use caffeine_model::{FileVersionId, PathError, RepoPath};
use prost::Message;

/// A file with its chunks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputFile {
    pub(crate) id: FileVersionId,
    pub(crate) path: RepoPath,
    pub(crate) language: String,
    pub(crate) text: String,
    /// Their ranges lie in the text.
    pub(crate) chunks: Vec<v1::ChunkRange>,
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
    #[error("file {0} is in the batch twice")]
    Twice(usize),
    #[error("file {0} has a NUL character")]
    Nul(usize),
    #[error("chunk {chunk} of file {file} is no range of its text")]
    Range { file: usize, chunk: usize },
}

/// Decompresses and decodes a batch, never to more than a message may hold, and checks every file in it.
pub(crate) fn unpack(batch: &v1::ChunksBatch) -> Result<Vec<InputFile>, BadBatch> {
    let claimed = batch.raw_bytes;
    let room = claimed as usize;
    if room > table::MAX_PAYLOAD {
        return Err(BadBatch::TooLarge(claimed));
    }
    let raw = zstd::bulk::decompress(&batch.chunks, room).map_err(BadBatch::Decompress)?;
    if raw.len() != room {
        return Err(BadBatch::Length { claimed, actual: raw.len() });
    }
    let set = v1::ChunkSet::decode(Bytes::from(raw)).map_err(DecodeError::from)?;
    let mut seen = HashSet::with_capacity(set.files.len());
    let mut files = Vec::with_capacity(set.files.len());
    for (position, file) in set.files.into_iter().enumerate() {
        let path = RepoPath::parse(file.path.as_bytes()).map_err(|error| BadBatch::Path(position, error))?;
        let id = FileVersionId::from_uuid(uuid_field("file_version_id", &file.file_version_id)?);
        if !seen.insert(id) {
            return Err(BadBatch::Twice(position));
        }
        // PostgreSQL's text cannot hold it, and no analysed text has it.
        if has_nul(&file) {
            return Err(BadBatch::Nul(position));
        }
        if let Some(chunk) = file.chunks.iter().position(|chunk| !fits(chunk, &file.text)) {
            return Err(BadBatch::Range { file: position, chunk });
        }
        files.push(InputFile { id, path, language: file.language, text: file.text, chunks: file.chunks });
    }
    Ok(files)
}

fn has_nul(file: &v1::ChunkedFile) -> bool {
    let around =
        |chunk: &v1::ChunkRange| [&chunk.kind, &chunk.scope, &chunk.symbol].into_iter().any(|text| text.contains('\0'));
    file.text.contains('\0') || file.language.contains('\0') || file.chunks.iter().any(around)
}

fn fits(chunk: &v1::ChunkRange, text: &str) -> bool {
    let range = chunk.start_byte as usize..chunk.end_byte as usize;
    chunk.start_line >= 1 && chunk.end_line >= chunk.start_line && text.get(range).is_some()
}

/// The chunk's part of its file's text.
pub(crate) fn slice<'text>(chunk: &v1::ChunkRange, text: &'text str) -> &'text str {
    text.get(chunk.start_byte as usize..chunk.end_byte as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use caffeine_contract::v1;

    use super::fits;

    fn check(bytes: (u32, u32), lines: (u32, u32), expected: bool) {
        let chunk = v1::ChunkRange {
            start_byte: bytes.0,
            end_byte: bytes.1,
            start_line: lines.0,
            end_line: lines.1,
            ..v1::ChunkRange::default()
        };
        assert_eq!(fits(&chunk, "aü\nb"), expected, "{bytes:?} {lines:?}");
    }

    #[test]
    fn ranges_lie_in_the_text_and_on_characters() {
        check((0, 5), (1, 2), true);
        check((1, 3), (1, 1), true);
        check((0, 6), (1, 2), false);
        check((2, 3), (1, 1), false);
        check((3, 1), (1, 1), false);
        check((0, 1), (0, 1), false);
        check((0, 1), (2, 1), false);
        check((u32::MAX, u32::MAX), (1, 1), false);
    }
}
