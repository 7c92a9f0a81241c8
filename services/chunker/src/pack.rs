//! From chunked files to a batch message that fits.

use bytes::Bytes;
use caffeine_contract::{table, v1};
use prost::Message;

/// What a set may have uncompressed: a message less headers, envelope and what zstd adds to bytes it cannot compress.
const MAX_SET_BYTES: usize = table::MAX_PAYLOAD - 16 * 1024;
/// Of what stands around a chunk, in bytes, where a set would not fit otherwise.
const SHORT_SCOPE: usize = 80;
const LEVEL: i32 = 1;

/// A compressed `ChunkSet`.
pub(crate) struct Packed {
    pub(crate) bytes: Bytes,
    pub(crate) raw_bytes: u32,
    /// Files that lost their chunks because the set did not fit.
    pub(crate) dropped: usize,
}

/// Encodes and compresses the files. A batch has at most 768 KiB of content, so they nearly always fit; if not
/// (text that grew in decoding, very many names), first the surroundings of chunks are cut, then the largest files
/// lose their chunks: they are analysed and cited, but not found by search.
pub(crate) fn pack(files: Vec<v1::ChunkedFile>) -> std::io::Result<Packed> {
    pack_into(files, MAX_SET_BYTES)
}

fn pack_into(files: Vec<v1::ChunkedFile>, room: usize) -> std::io::Result<Packed> {
    let mut set = v1::ChunkSet { files };
    if set.encoded_len() > room {
        set.files.iter_mut().flat_map(|file| &mut file.chunks).for_each(shorten);
    }
    let mut dropped = 0;
    let mut length = set.encoded_len();
    while length > room
        && let Some(largest) = largest(&mut set.files)
    {
        largest.text.clear();
        largest.chunks.clear();
        dropped += 1;
        length = set.encoded_len();
    }
    let raw = set.encode_to_vec();
    let bytes = zstd::bulk::compress(&raw, LEVEL)?;
    Ok(Packed { bytes: bytes.into(), raw_bytes: u32::try_from(raw.len()).unwrap_or(u32::MAX), dropped })
}

fn shorten(chunk: &mut v1::ChunkRange) {
    chunk.signature.clear();
    for text in [&mut chunk.scope, &mut chunk.symbol] {
        text.truncate(text.floor_char_boundary(SHORT_SCOPE));
    }
}

/// The file with the longest encoding that still has chunks; of several the first.
fn largest(files: &mut [v1::ChunkedFile]) -> Option<&mut v1::ChunkedFile> {
    let with_chunks = files.iter_mut().filter(|file| !file.chunks.is_empty() || !file.text.is_empty());
    with_chunks.rev().max_by_key(|file| file.encoded_len())
}

#[cfg(test)]
mod tests {
    use caffeine_contract::v1;
    use prost::Message;

    use super::pack_into;

    fn file(path: &str, size: usize) -> v1::ChunkedFile {
        v1::ChunkedFile {
            path: path.to_owned(),
            text: "x".repeat(size),
            chunks: vec![v1::ChunkRange {
                end_byte: 1,
                scope: "ü".repeat(200),
                signature: "fn s()".to_owned(),
                ..v1::ChunkRange::default()
            }],
            ..v1::ChunkedFile::default()
        }
    }

    fn check(room: usize, scope_bytes: usize, kept: &[&str]) {
        let packed = pack_into(vec![file("a", 100), file("b", 900), file("c", 900)], room).unwrap();
        let raw = zstd::bulk::decompress(&packed.bytes, packed.raw_bytes as usize).unwrap();
        let set = v1::ChunkSet::decode(raw.as_slice()).unwrap();
        assert_eq!(set.files.len(), 3, "every file is reported");
        let with_chunks: Vec<&v1::ChunkedFile> = set.files.iter().filter(|file| !file.chunks.is_empty()).collect();
        assert_eq!(with_chunks.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), kept);
        assert!(with_chunks.iter().all(|file| file.chunks[0].scope.len() == scope_bytes));
        assert_eq!(packed.dropped, 3 - kept.len());
    }

    #[test]
    fn what_does_not_fit_loses_surroundings_then_the_largest_files() {
        check(100_000, 400, &["a", "b", "c"]);
        check(2_400, 80, &["a", "b", "c"]);
        check(1_500, 80, &["a", "c"]);
        check(500, 80, &["a"]);
        check(10, 80, &[]);
    }
}
