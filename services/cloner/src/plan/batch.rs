//! One batch as a message.

use bytes::Bytes;
use caffeine_contract::id_bytes;
use caffeine_contract::v1;
use caffeine_store::cloner::PlannedFile;
use prost::Message as _;

/// Zstandard's fastest level: the time is better spent elsewhere.
const LEVEL: i32 = 1;

/// A file with its content.
#[derive(Debug, Clone)]
pub struct BatchFile {
    /// What was planned.
    pub planned: PlannedFile,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Builds the message of one batch. The scope is filled in when it is sent.
///
/// # Errors
/// If the compressor fails.
pub fn encode(batch: u32, files: Vec<BatchFile>) -> std::io::Result<v1::FilesBatch> {
    let set = v1::FileSet {
        files: files
            .into_iter()
            .map(|file| v1::File {
                file_version_id: id_bytes(file.planned.version.as_uuid()),
                path: file.planned.path.into(),
                oid: Bytes::copy_from_slice(file.planned.oid.as_bytes()),
                content: file.content.into(),
            })
            .collect(),
    };
    let raw = set.encode_to_vec();
    drop(set);
    let compressed = zstd::bulk::compress(&raw, LEVEL)?;
    Ok(v1::FilesBatch {
        scope: None,
        batch,
        files: compressed.into(),
        raw_bytes: u32::try_from(raw.len()).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use caffeine_contract::table::{MAX_BATCH_BYTES, MAX_PAYLOAD};
    use caffeine_contract::v1;
    use caffeine_model::{FileVersionId, Oid, RepoPath, RepositoryId};
    use caffeine_store::cloner::{PlannedFile, SnapshotFile};
    use prost::Message as _;

    use super::{BatchFile, encode};
    use crate::plan::cut;

    /// Bytes that no compressor makes smaller.
    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Cuts files of these sizes with paths of this length, and encodes the first batch.
    fn first_batch(sizes: &[u64], path_bytes: usize) -> (usize, v1::FilesBatch) {
        let repository = RepositoryId::generate();
        let oid = Oid::from_bytes(&[9; 20]).unwrap();
        let mut files: Vec<SnapshotFile> = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let path: String = noise(path_bytes, number as u64).iter().map(|b| char::from(b'a' + b % 26)).collect();
            let path = RepoPath::parse(format!("{number:05}{path}").as_bytes()).unwrap();
            let version = FileVersionId::derive(repository, &path, oid);
            files.push(SnapshotFile { path, version, oid, mode: 0, size: *size, batch: None, skip_reason: None });
        }
        cut(&mut files, &HashSet::new());
        let batch: Vec<BatchFile> = files
            .into_iter()
            .filter(|file| file.batch == Some(0))
            .enumerate()
            .map(|(number, file)| BatchFile {
                content: noise(usize::try_from(file.size).unwrap(), number as u64),
                planned: PlannedFile {
                    batch: 0,
                    path: file.path,
                    version: file.version,
                    oid: file.oid,
                    size: file.size,
                },
            })
            .collect();
        (batch.len(), encode(0, batch).unwrap())
    }

    #[test]
    fn the_worst_batch_fits_the_payload() {
        let headers = 4 * 1024;
        for (sizes, path_bytes) in [
            (vec![MAX_BATCH_BYTES], 1_000),
            (vec![MAX_BATCH_BYTES / 100; 100], 1_000),
            (vec![1_000; 2_000], 1_000),
            (vec![1_530; 2_000], 190),
            (vec![0; 10_000], 1_000),
        ] {
            let (files, message) = first_batch(&sizes, path_bytes);
            assert!(files > 0);
            assert!(message.encoded_len() + headers <= MAX_PAYLOAD, "{} bytes", message.encoded_len());
            assert!(message.raw_bytes as usize <= MAX_PAYLOAD, "uncompressed too");
        }
    }

    #[test]
    fn what_is_encoded_can_be_read() {
        let (files, message) = first_batch(&[5, 0, 70_000], 10);
        let raw = zstd::bulk::decompress(&message.files, message.raw_bytes as usize).unwrap();
        let set = v1::FileSet::decode(raw.as_slice()).unwrap();
        assert_eq!(set.files.len(), files);
        let sizes: Vec<usize> = set.files.iter().map(|file| file.content.len()).collect();
        assert_eq!(sizes, [5, 0, 70_000]);
        assert!(set.files.iter().all(|file| file.oid.len() == 20 && file.file_version_id.len() == 16));
    }
}
