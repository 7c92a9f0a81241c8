//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use caffeine_contract::headers as names;
use opentelemetry::Context;

use crate::headers::{Envelope, of, trace_context};
use crate::{Outgoing, percent, redact_url};

/// Lines of `name: value` as headers of a message: what is understood travels on unchanged, and any text survives as a
/// key.
pub fn headers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut map = HeaderMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        // The shortest way to the names that are read.
        let name = match name {
            "k" => names::KIND,
            "w" => names::WORKSPACE,
            "r" => names::REPOSITORY,
            "u" => names::RUN,
            "y" => names::KEY,
            "g" => names::GENERATION,
            "l" => names::LANE,
            "a" => names::ANALYSER,
            "e" => names::EMBEDDING_MODEL,
            "t" => names::TRACEPARENT,
            other => other,
        };
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            map.insert(name, value);
        }
    }
    let _ = trace_context(Some(&map));
    let envelope = Envelope::read(Some(&map));
    if let (Some(kind), Some(scope), Some(key)) = (envelope.kind, envelope.scope, envelope.key) {
        let sent = Outgoing { kind, scope, key, body: bytes::Bytes::new() };
        let read = Envelope::read(Some(&of(&sent, &Context::new())));
        assert_eq!((read.kind, read.key.as_ref()), (Some(sent.kind), Some(&sent.key)));
        assert_eq!(read.scope.as_ref(), Some(&sent.scope));
    }
    percent_encoding(&text);
    credentials(&text);
}

fn percent_encoding(text: &str) {
    let encoded = percent::encode(text);
    assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
    assert_eq!(percent::decode(&encoded), text);
    // Foreign text may hold anything; it only never grows.
    assert!(percent::decode(text).chars().count() <= text.chars().count());
}

fn credentials(text: &str) {
    let shown = redact_url(text);
    assert!(!shown.contains('@'), "{shown}");
    assert_eq!(redact_url(&shown), shown);
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("headers", super::headers)]);
    }
}
