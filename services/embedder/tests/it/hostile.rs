//! Batches that are not what they claim to be.

use caffeine_bus::Failure;
use caffeine_contract::v1;

use crate::fixture::{BATCHES, Fixture};

async fn check(fixture: &Fixture, message: &v1::ChunksBatch, expected: &str) {
    match fixture.deliver_batch(message).await {
        Err(Failure::Reject { code: "bad_batch", reason }) => {
            assert!(reason.contains(expected), "{reason:?} says {expected:?}");
        }
        other => panic!("{expected}: {other:?}"),
    }
    assert_eq!(fixture.count("SELECT count(*) FROM embedded_versions").await, 0, "{expected}");
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_batches").await, 0, "{expected}");
}

#[tokio::test]
async fn each_lie_is_rejected() {
    let fixture = Fixture::new(&BATCHES).await;
    let good = fixture.batch(0, BATCHES[0]);
    let with = |change: fn(&mut v1::ChunkedFile)| {
        let mut file = fixture.file(&BATCHES[0][1]);
        change(&mut file);
        fixture.batch_of(0, vec![fixture.file(&BATCHES[0][0]), file])
    };

    check(&fixture, &v1::ChunksBatch { raw_bytes: good.raw_bytes + 1, ..good.clone() }, "claims").await;
    check(&fixture, &v1::ChunksBatch { raw_bytes: good.raw_bytes - 1, ..good.clone() }, "decompress").await;
    check(&fixture, &v1::ChunksBatch { raw_bytes: u32::MAX, ..good.clone() }, "larger than any").await;
    check(&fixture, &v1::ChunksBatch { chunks: vec![1, 2, 3].into(), ..good.clone() }, "decompress").await;
    check(&fixture, &with(|file| file.path = "/etc/passwd".to_owned()), "absolute").await;
    check(&fixture, &with(|file| file.file_version_id = vec![1; 3].into()), "identifier").await;
    check(&fixture, &with(|file| file.text.push('\0')), "NUL").await;
    check(&fixture, &with(|file| file.chunks[0].symbol.push('\0')), "NUL").await;
    check(&fixture, &with(|file| file.language.push('\0')), "NUL").await;
    check(&fixture, &with(|file| file.chunks[0].end_byte = 10_000), "range").await;
    // In the middle of the ö.
    check(&fixture, &with(|file| file.chunks[0].start_byte = 7), "range").await;
    check(&fixture, &with(|file| file.chunks[0].end_line = 0), "range").await;
    let twice = fixture.batch_of(0, vec![fixture.file(&BATCHES[0][0]), fixture.file(&BATCHES[0][0])]);
    check(&fixture, &twice, "twice").await;
}

#[tokio::test]
async fn text_that_is_no_utf8_is_rejected() {
    let fixture = Fixture::new(&BATCHES).await;
    let mut raw = prost::Message::encode_to_vec(&v1::ChunkSet { files: vec![fixture.file(&BATCHES[2][0])] });
    let at = raw.windows(5).position(|window| window == b"Keeps").expect("the text is in the message");
    raw[at] = 0xff;
    let message = v1::ChunksBatch {
        chunks: zstd::bulk::compress(&raw, 1).unwrap().into(),
        raw_bytes: u32::try_from(raw.len()).unwrap(),
        ..fixture.batch(0, &[])
    };
    check(&fixture, &message, "decode").await;
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let fixture = Fixture::new(&BATCHES).await;
    // A gibibyte of zeros.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..1024 {
        std::io::Write::write_all(&mut encoder, &zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "it fits a message");
    let good = fixture.batch(0, BATCHES[0]);
    for raw_bytes in [10, 1 << 20] {
        check(&fixture, &v1::ChunksBatch { chunks: bomb.clone().into(), raw_bytes, ..good.clone() }, "decompress")
            .await;
    }
}
