//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use crate::{Message, Scope, Subjects, v1};

/// The first byte chooses a message, the rest is its body: what decodes can be encoded and decoded again, its scope
/// survives, and nothing in it can break a subject.
pub fn message(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    match kind % 15 {
        0 => work::<v1::CloneRequested>(body),
        1 => work::<v1::CloneProbe>(body),
        2 => work::<v1::FilesBatch>(body),
        3 => work::<v1::FilesListed>(body),
        4 => work::<v1::ChunksBatch>(body),
        5 => work::<v1::ChunksListed>(body),
        6 => work::<v1::LinkRequested>(body),
        7 => work::<v1::DocumentRequested>(body),
        8 => work::<v1::DocumentReady>(body),
        9 => work::<v1::PageRequested>(body),
        10 => work::<v1::RunTransition>(body),
        11 => drop(decoded::<v1::FileSet>(body)),
        12 => drop(decoded::<v1::ChunkSet>(body)),
        13 => drop(decoded::<v1::Control>(body)),
        _ => drop(decoded::<v1::Event>(body)),
    }
}

fn decoded<M: prost::Message + Default + PartialEq>(body: &[u8]) -> Option<M> {
    let message = M::decode(body).ok()?;
    let encoded = message.encode_to_vec();
    let again = M::decode(encoded.as_slice()).expect("what was encoded here can be decoded");
    assert!(again == message, "it comes back as it was");
    assert_eq!(again.encode_to_vec(), encoded);
    Some(message)
}

fn work<M: Message + PartialEq>(body: &[u8]) {
    let Some(message) = decoded::<M>(body) else { return };
    let key = message.key();
    assert!(key.len() <= body.len() + 100, "a key is no longer than its message");
    let Some(Ok(scope)) = message.scope().map(Scope::from_wire) else { return };
    assert_eq!(Scope::from_wire(&scope.to_wire()).ok().as_ref(), Some(&scope));
    let subjects = Subjects::new("p");
    let subject = subjects.work(M::KIND, &scope);
    let tokens = if subject.contains(".state.") { 6 } else { 8 };
    is_subject(&subject, tokens);
    is_subject(&subjects.dead("chunker", &scope.analyser, &key), 7);
}

/// A subject of so many tokens without wildcards.
fn is_subject(subject: &str, tokens: usize) {
    assert_eq!(subject.split('.').count(), tokens, "{subject}");
    let is_plain =
        |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    assert!(subject.split('.').all(is_plain), "{subject}");
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("message", super::message)]);
    }
}
