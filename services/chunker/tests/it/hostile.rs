//! Batches that are not what they claim to be.

use caffeine_bus::Failure;
use caffeine_contract::v1;

use crate::fixture::{BATCHES, Fixture};

async fn check(fixture: &Fixture, message: &v1::FilesBatch, expected: &str) {
    match fixture.deliver_batch(message).await {
        Err(Failure::Reject { code: "bad_batch", reason }) => {
            assert!(reason.contains(expected), "{reason:?} says {expected:?}");
        }
        other => panic!("{expected}: {other:?}"),
    }
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions").await, 0, "{expected}");
    assert_eq!(fixture.count("SELECT count(*) FROM file_batches").await, 0, "{expected}");
}

#[tokio::test]
async fn each_lie_is_rejected() {
    let fixture = Fixture::new(&BATCHES).await;
    let good = fixture.batch(0, BATCHES[0]);
    let with = |change: fn(&mut v1::File)| {
        let mut file = fixture.file("src/a.rs", b"fn a() {}");
        change(&mut file);
        fixture.batch_of(0, vec![fixture.file("b", b"b"), file])
    };

    check(&fixture, &v1::FilesBatch { raw_bytes: good.raw_bytes + 1, ..good.clone() }, "claims").await;
    check(&fixture, &v1::FilesBatch { raw_bytes: good.raw_bytes - 1, ..good.clone() }, "decompress").await;
    check(&fixture, &v1::FilesBatch { raw_bytes: u32::MAX, ..good.clone() }, "larger than any").await;
    check(&fixture, &v1::FilesBatch { files: good.files.slice(..good.files.len() / 2), ..good.clone() }, "decompress")
        .await;
    check(&fixture, &v1::FilesBatch { files: vec![1, 2, 3].into(), ..good.clone() }, "decompress").await;
    let noise = vec![0xff_u8; 100];
    let noise =
        v1::FilesBatch { files: zstd::bulk::compress(&noise, 1).unwrap().into(), raw_bytes: 100, ..good.clone() };
    check(&fixture, &noise, "decode").await;
    check(&fixture, &with(|file| file.path = "src/other.rs".to_owned()), "another file").await;
    check(&fixture, &with(|file| file.path = "../src/a.rs".to_owned()), "climbs").await;
    check(&fixture, &with(|file| file.path = "src/\0.rs".to_owned()), "control").await;
    check(&fixture, &with(|file| file.oid = vec![1; 20].into()), "another file").await;
    check(&fixture, &with(|file| file.oid = vec![1; 19].into()), "object id").await;
    check(&fixture, &with(|file| file.file_version_id = vec![1; 3].into()), "identifier").await;
    let twice = fixture.batch_of(0, vec![fixture.file("b", b"b"), fixture.file("b", b"b")]);
    check(&fixture, &twice, "twice").await;
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let fixture = Fixture::new(&BATCHES).await;
    // A gibibyte of zeros, 33 KiB compressed.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..1024 {
        std::io::Write::write_all(&mut encoder, &zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "it fits a message");
    let good = fixture.batch(0, BATCHES[0]);
    for raw_bytes in [10, 1 << 20] {
        check(&fixture, &v1::FilesBatch { files: bomb.clone().into(), raw_bytes, ..good.clone() }, "decompress").await;
    }
}

#[tokio::test]
async fn content_of_any_bytes_is_analysed_or_skipped() {
    let fixture = Fixture::new(&[]).await;
    let contents: [&[u8]; 6] =
        [b"\xff\xfe\x00\x00", b"fn a() { \xc3\x28 }", b"\xef\xbb\xbffn bom() {}", &[b'('; 100_000], b"\r\r\r", b"a\0b"];
    let files = contents.iter().enumerate().map(|(n, bytes)| fixture.file(&format!("f{n}.rs"), bytes)).collect();
    fixture.deliver_batch(&fixture.batch_of(0, files)).await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions").await, 6);
}

#[tokio::test]
async fn a_manifest_with_nul_in_an_escape_and_a_package_of_any_length_are_stored() {
    let long = "x".repeat(3_000);
    let contents = [
        ("package.json", r#"{"name": "a\u0000b", "dependencies": {"c\u0000": "1"}}"#.to_owned()),
        ("Cargo.toml", "[package]\nname = \"a\\u0000b\"\n".to_owned()),
        ("src/a.py", format!("import {long}\n\"\"\"\\x00\"\"\"\n")),
        ("src/a.ts", format!("import a from '{long}';\n")),
    ];
    let fixture = Fixture::new(&[]).await;
    let mut files = Vec::new();
    for (path, content) in &contents {
        let file = fixture.file(path, content.as_bytes());
        fixture.list(path, &file, Some(0), None).await;
        files.push(file);
    }
    fixture.deliver_batch(&fixture.batch_of(0, files)).await.unwrap();
    fixture.deliver_link().await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions WHERE manifest ->> 'name' = 'ab'").await, 2);
}
