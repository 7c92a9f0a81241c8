//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use super::answer::Reader;
use super::fault;
use super::sse::{SseDecoder, SseEvent};
use crate::LlmEvent;

/// The first byte chooses where the stream is cut: the events are the same however it comes in, and what they say
/// ends at most once.
pub fn sse(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let whole = decode([stream]);
    let step = usize::from(*cut % 16) + 1;
    assert_eq!(decode(stream.chunks(step)), whole, "in pieces of {step} bytes");
    let held: usize = whole.0.iter().map(|event| event.name.len() + event.data.len()).sum();
    // A byte that is no UTF-8 becomes a character of three.
    assert!(held <= 3 * stream.len());

    let mut reader = Reader::default();
    whole.0.iter().for_each(|event| reader.read(event));
    let ends = reader.ready.iter().filter(|item| matches!(item, Ok(LlmEvent::Stop(_)) | Err(_))).count();
    assert_eq!(ends, usize::from(reader.ended));
    assert!(!reader.ended || matches!(reader.ready.back(), Some(Ok(LlmEvent::Stop(_)) | Err(_))), "nothing follows");
}

type Decoded = (Vec<SseEvent>, bool);

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = SseDecoder::default();
    let mut events = Vec::new();
    let mut fits = true;
    for piece in pieces {
        fits &= decoder.push(piece, &mut events).is_ok();
    }
    (events, fits)
}

/// Two bytes of status, then the body of an answer that is no success: it is classed, and what is told of it is short
/// and on one line.
pub fn fault(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_at_checked(2) else { return };
    let status = 400 + (u16::from(status[0]) << 8 | u16::from(status[1])) % 200;
    let told = fault::of_status(status, body, None).to_string();
    assert!(told.len() <= 4_000 && !told.contains(['\n', '\r', '\0']), "{told:?}");
}

#[cfg(test)]
#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("sse", super::sse), ("fault", super::fault)]);
    }
}
