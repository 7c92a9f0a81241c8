//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use caffeine_contract::{table, v1};
use caffeine_embedding::lexical;
use prost::Message as _;

use crate::unpack::{slice, unpack};

/// The first byte says what the rest is: a `ChunksBatch` or a `ChunkSet`. What is accepted has ranges that can be cut
/// out, and words that the index takes.
pub fn chunks_batch(bytes: &[u8]) {
    let Some((shape, body)) = bytes.split_first() else { return };
    let batch = match shape % 2 {
        0 => v1::ChunksBatch::decode(body).ok(),
        _ => compressed(body),
    };
    let Some(batch) = batch else { return };
    let Ok(files) = unpack(&batch) else { return };
    let total: usize = files.iter().map(|file| file.text.len()).sum();
    assert!(total <= table::MAX_PAYLOAD && total <= batch.raw_bytes as usize);
    for file in &files {
        for chunk in &file.chunks {
            let text = slice(chunk, &file.text);
            assert_eq!(text.len(), (chunk.end_byte - chunk.start_byte) as usize);
            assert!(chunk.start_line <= chunk.end_line);
            assert!(!text.contains('\0'));
            lexemes(text);
        }
    }
}

fn compressed(raw: &[u8]) -> Option<v1::ChunksBatch> {
    let chunks = zstd::bulk::compress(raw, 1).ok()?.into();
    let raw_bytes = u32::try_from(raw.len()).ok()?;
    Some(v1::ChunksBatch { scope: None, batch: 0, chunks, raw_bytes, failure: None })
}

/// Text as the words of the index: sorted, distinct, and without anything that a query would have to quote.
pub fn words(bytes: &[u8]) {
    lexemes(&String::from_utf8_lossy(bytes));
}

fn lexemes(text: &str) {
    let lexemes = lexical::lexemes(text);
    assert!(lexemes.len() <= lexical::MAX_LEXEMES && lexemes.is_sorted_by(|a, b| a < b));
    for lexeme in &lexemes {
        assert!((1..=lexical::MAX_LEXEME_BYTES).contains(&lexeme.len()), "{lexeme}");
        assert!(lexeme.chars().all(char::is_alphanumeric), "{lexeme}");
    }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("chunks_batch", super::chunks_batch), ("words", super::words)]);
    }
}
