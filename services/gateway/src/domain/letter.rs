//! What a dead letter says, as JSON. What a file holds is counted, not shown.

use bytes::Bytes;
use caffeine_contract::{Kind, Message, transition_key, v1};
use serde_json::{Value, json};
use uuid::Uuid;

/// The body of a message as JSON, without its scope; `None` if it cannot be decoded.
pub(crate) fn body(kind: Kind, bytes: &Bytes) -> Option<Value> {
    match kind {
        Kind::CloneRequested => read(
            bytes,
            |message: v1::CloneRequested| json!({ "url": message.url, "ref": message.r#ref, "credential": id(&message.credential_id) }),
        ),
        Kind::CloneProbe => read(
            bytes,
            |message: v1::CloneProbe| json!({ "probe": id(&message.probe_id), "url": message.url, "credential": id(&message.credential_id) }),
        ),
        Kind::FilesBatch => read(
            bytes,
            |message: v1::FilesBatch| json!({ "batch": message.batch, "raw_bytes": message.raw_bytes, "bytes": message.files.len() }),
        ),
        Kind::FilesListed => read(
            bytes,
            |message: v1::FilesListed| json!({ "batches": message.batches, "failure": failure(message.failure) }),
        ),
        Kind::ChunksBatch => read(bytes, |message: v1::ChunksBatch| {
            json!({
                "batch": message.batch,
                "raw_bytes": message.raw_bytes,
                "bytes": message.chunks.len(),
                "failure": failure(message.failure),
            })
        }),
        Kind::ChunksListed => read(
            bytes,
            |message: v1::ChunksListed| json!({ "batches": message.batches, "failure": failure(message.failure) }),
        ),
        Kind::LinkRequested => read(bytes, |_: v1::LinkRequested| json!({})),
        Kind::DocumentRequested => read(
            bytes,
            |message: v1::DocumentRequested| json!({ "document": id(&message.document_id), "title": message.title, "writer": writer(message.writer) }),
        ),
        Kind::DocumentReady => read(
            bytes,
            |message: v1::DocumentReady| json!({ "phase": message.phase().as_str_name(), "failure": failure(message.failure) }),
        ),
        Kind::PageRequested => read(
            bytes,
            |message: v1::PageRequested| json!({ "document": id(&message.document_id), "slug": message.slug }),
        ),
        Kind::RunTransition => read(bytes, |message: v1::RunTransition| {
            json!({
                "occurred_at_ms": message.occurred_at_ms,
                "transition": message.transition.as_ref().map(transition_key),
            })
        }),
    }
}

fn read<M: Message>(bytes: &Bytes, view: impl FnOnce(M) -> Value) -> Option<Value> {
    M::decode(bytes.clone()).ok().map(view)
}

fn id(bytes: &[u8]) -> Option<String> {
    Uuid::from_slice(bytes).ok().map(|id| id.to_string())
}

fn failure(failure: Option<v1::Failure>) -> Value {
    failure.map_or(Value::Null, |failure| json!({ "code": failure.code, "reason": failure.reason }))
}

fn writer(writer: Option<v1::document_requested::Writer>) -> Value {
    use v1::document_requested::Writer;
    match writer {
        None => Value::Null,
        Some(Writer::Structural(_)) => json!({ "structural": {} }),
        Some(Writer::Template(template)) => json!({ "template": {
            "version": id(&template.template_version_id),
            "name": template.name,
            "style": template.style,
            "output_language": template.output_language,
            "query": template.query,
            "model": template.model,
        } }),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use caffeine_contract::table::MESSAGES;
    use caffeine_contract::{Kind, v1};
    use prost::Message as _;
    use serde_json::json;

    use super::body;

    #[test]
    fn contents_are_counted() {
        let batch = v1::FilesBatch { batch: 3, raw_bytes: 9, files: Bytes::from_static(b"secret"), scope: None };
        let shown = body(Kind::FilesBatch, &batch.encode_to_vec().into()).unwrap();
        assert_eq!(shown, json!({ "batch": 3, "raw_bytes": 9, "bytes": 6 }));
        let page = v1::PageRequested { slug: "a".to_owned(), ..v1::PageRequested::default() };
        assert_eq!(
            body(Kind::PageRequested, &page.encode_to_vec().into()),
            Some(json!({ "document": null, "slug": "a" }))
        );
    }

    #[test]
    fn every_kind_has_a_view_and_none_of_what_is_broken() {
        for row in MESSAGES {
            assert!(body(row.kind, &Bytes::new()).is_some(), "{}", row.name);
            assert_eq!(body(row.kind, &Bytes::from_static(&[0xff])), None, "{}", row.name);
        }
    }
}
