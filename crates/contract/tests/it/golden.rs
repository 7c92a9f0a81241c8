//! Golden bytes: today's encoding of each message, and the proof that yesterday's bytes still decode. A changed
//! snapshot means that running installations cannot read each other's messages: add a field instead.

use std::fmt::Write as _;

use caffeine_contract::{Message, Scope, v1};
use caffeine_model::{Generation, Lane, RepositoryId, RunId, WorkspaceId};
use prost::Message as _;
use uuid::Uuid;

fn scope() -> Option<v1::Scope> {
    let id = |byte: u8| Uuid::from_bytes([byte; 16]);
    Some(
        Scope {
            workspace: WorkspaceId::from_uuid(id(1)),
            repository: RepositoryId::from_uuid(id(2)),
            run: RunId::from_uuid(id(3)),
            generation: Generation(4),
            lane: Lane::Bulk,
            analyser: "a1".to_owned(),
            embedding_model: "m1".to_owned(),
        }
        .to_wire(),
    )
}

fn check<M: Message + PartialEq + std::fmt::Debug>(out: &mut String, message: &M) {
    let bytes = message.encode_to_vec();
    assert_eq!(&M::decode(bytes.as_slice()).expect("own bytes decode"), message);
    writeln!(out, "{} [{}] {}", M::KIND.spec().name, message.key(), hex::encode(bytes))
        .expect("a string takes any text");
}

#[test]
fn bytes_of_every_message() {
    use v1::run_transition::Transition;
    let failure = || Some(v1::Failure { code: "c".to_owned(), reason: "r".to_owned() });
    let id = || bytes::Bytes::from_static(&[9; 16]);
    let data = || bytes::Bytes::from_static(b"data");
    let mut out = String::new();
    check(
        &mut out,
        &v1::CloneRequested { scope: scope(), url: "u".to_owned(), r#ref: "main".to_owned(), credential_id: id() },
    );
    check(&mut out, &v1::CloneProbe { scope: scope(), probe_id: id(), url: "u".to_owned(), credential_id: id() });
    check(&mut out, &v1::FilesBatch { scope: scope(), batch: 7, files: data(), raw_bytes: 4 });
    check(&mut out, &v1::FilesListed { scope: scope(), batches: 8, failure: failure() });
    check(&mut out, &v1::ChunksBatch { scope: scope(), batch: 7, chunks: data(), raw_bytes: 4, failure: failure() });
    check(&mut out, &v1::ChunksListed { scope: scope(), batches: 8, failure: failure() });
    check(&mut out, &v1::LinkRequested { scope: scope() });
    check(
        &mut out,
        &v1::DocumentRequested {
            scope: scope(),
            document_id: id(),
            title: "t".to_owned(),
            writer: Some(v1::document_requested::Writer::Template(v1::TemplateWriter {
                template_version_id: id(),
                name: "n".to_owned(),
                system: "s".to_owned(),
                body: "b".to_owned(),
                style: "st".to_owned(),
                output_language: "de".to_owned(),
                query: "q".to_owned(),
                model: "m".to_owned(),
            })),
        },
    );
    check(
        &mut out,
        &v1::DocumentRequested {
            scope: scope(),
            document_id: id(),
            title: "t".to_owned(),
            writer: Some(v1::document_requested::Writer::Structural(v1::StructuralWriter {})),
        },
    );
    check(&mut out, &v1::DocumentReady { scope: scope(), phase: v1::Phase::Analysed.into(), failure: failure() });
    check(&mut out, &v1::PageRequested { scope: scope(), document_id: id(), slug: "overview".to_owned() });
    let transitions = [
        Transition::CloneStarted(v1::CloneStarted {}),
        Transition::Planned(v1::Planned {
            commit: bytes::Bytes::from_static(&[5; 20]),
            r#ref: "main".to_owned(),
            files: 1,
            known: 2,
            skipped: 3,
            sent: 4,
            batches: 5,
            bytes: 6,
        }),
        Transition::Cloned(v1::Cloned {}),
        Transition::Analysed(v1::Analysed {
            files: 1,
            skipped: 2,
            symbols: 3,
            edges: 4,
            modules: 5,
            failed_batches: 6,
        }),
        Transition::Indexed(v1::Indexed { chunks: 1, failed_batches: 2 }),
        Transition::DocumentPlanned(v1::DocumentPlanned { document_id: id(), pages: 2 }),
        Transition::DocumentCompleted(v1::DocumentCompleted {
            document_id: id(),
            pages: 2,
            failed_pages: 1,
            failure: failure(),
        }),
        Transition::Failed(v1::StageFailed { stage: "clone".to_owned(), failure: failure() }),
        Transition::Cancelled(v1::RunCancelled {}),
    ];
    for transition in transitions {
        check(
            &mut out,
            &v1::RunTransition { scope: scope(), occurred_at_ms: 1_700_000_000_000, transition: Some(transition) },
        );
    }
    for row in caffeine_contract::table::MESSAGES {
        assert!(out.contains(&format!("{} [", row.name)), "{} has no golden bytes", row.name);
    }
    insta::assert_snapshot!(out);
}

#[test]
fn unknown_fields_are_skipped() {
    let mut bytes = v1::LinkRequested { scope: scope() }.encode_to_vec();
    bytes.extend([0xfa, 0x3f, 0x01, 0x78]); // Field 1023, one byte: a newer writer.
    assert_eq!(v1::LinkRequested::decode(bytes.as_slice()).unwrap().scope, scope());
}
