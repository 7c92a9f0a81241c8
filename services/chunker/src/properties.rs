//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use caffeine_analysis::analyse;
use caffeine_contract::{id_bytes, table, v1};
use caffeine_model::{FileVersionId, Oid, RepoPath, RepositoryId};
use prost::Message as _;

use crate::pack::pack;
use crate::to_rows::to_rows;
use crate::unpack::unpack;

/// The first byte says what the rest is: a `FilesBatch`, a `FileSet`, or a `FileSet` whose identifiers are made right.
/// What is accepted is whole, and what becomes of it fits into a message for the embedder.
pub fn files_batch(bytes: &[u8]) {
    let Some((shape, body)) = bytes.split_first() else { return };
    let repository = "00000000-0000-0000-0000-000000000007".parse::<RepositoryId>().expect("this is a UUID");
    let batch = match shape % 3 {
        0 => v1::FilesBatch::decode(body).ok(),
        1 => compressed(body.to_vec()),
        _ => v1::FileSet::decode(body).ok().and_then(|set| compressed(claimed(repository, set).encode_to_vec())),
    };
    let Some(batch) = batch else { return };
    let Ok(files) = unpack(repository, &batch) else { return };
    let total: usize = files.iter().map(|file| file.content.len()).sum();
    assert!(total <= table::MAX_PAYLOAD && total <= batch.raw_bytes as usize);
    let mut analysed = Vec::new();
    for file in &files {
        assert_eq!(file.id, FileVersionId::derive(repository, &file.path, file.oid));
        let file = to_rows(file, analyse(file.path.as_str(), &file.content), None);
        let whole: usize = file.chunked.chunks.iter().map(|chunk| (chunk.end_byte - chunk.start_byte) as usize).sum();
        assert_eq!(whole, file.chunked.text.len(), "chunks tile the text that travels");
        analysed.push(file.chunked);
    }
    let count = analysed.len();
    let packed = pack(analysed).expect("memory takes it");
    assert!(packed.raw_bytes as usize <= table::MAX_PAYLOAD && packed.bytes.len() <= table::MAX_PAYLOAD);
    let raw = zstd::bulk::decompress(&packed.bytes, packed.raw_bytes as usize).expect("own bytes decompress");
    assert_eq!(v1::ChunkSet::decode(raw.as_slice()).expect("own bytes decode").files.len(), count);
}

fn compressed(raw: Vec<u8>) -> Option<v1::FilesBatch> {
    let files = zstd::bulk::compress(&raw, 1).ok()?.into();
    Some(v1::FilesBatch { scope: None, batch: 0, files, raw_bytes: u32::try_from(raw.len()).ok()? })
}

/// The set with the identifiers that its paths and objects have.
fn claimed(repository: RepositoryId, mut set: v1::FileSet) -> v1::FileSet {
    for file in &mut set.files {
        file.oid = file.oid.iter().copied().chain(std::iter::repeat(0)).take(20).collect();
        if let (Ok(path), Ok(oid)) = (RepoPath::parse(file.path.as_bytes()), Oid::from_bytes(&file.oid)) {
            file.file_version_id = id_bytes(FileVersionId::derive(repository, &path, oid).as_uuid());
        }
    }
    set
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("files_batch", super::files_batch)]);
    }
}
