//! `files.batch`

use std::time::Duration;

use caffeine_bus::Failure;
use caffeine_contract::{Kind, v1};

use crate::fixture::{BATCHES, Fixture, chunk_set, kinds, output};

#[tokio::test]
async fn delivered_twice_the_same_rows_and_outputs() {
    let fixture = Fixture::new(&BATCHES).await;
    let message = fixture.batch(0, BATCHES[0]);
    let first = fixture.deliver_batch(&message).await.unwrap();
    let dump = fixture.dump().await;
    assert!(fixture.count("SELECT count(*) FROM symbols").await >= 3, "{dump}");
    assert_eq!(kinds(&first), [Kind::ChunksBatch]);
    assert_eq!(fixture.outcome(Kind::FilesBatch, "0").await.unwrap().0, "done");

    let second = fixture.deliver_batch(&message).await.unwrap();
    assert_eq!(second, first);
    assert_eq!(fixture.dump().await, dump);
}

#[tokio::test]
async fn every_file_is_reported_and_its_chunks_tile_its_text() {
    let fixture = Fixture::new(&BATCHES).await;
    for (number, files) in (0..).zip(BATCHES) {
        let handled = fixture.deliver_batch(&fixture.batch(number, files)).await.unwrap();
        let message: v1::ChunksBatch = output(&handled);
        assert_eq!((message.batch, message.failure.clone()), (number, None));
        let set = chunk_set(&message);
        assert_eq!(
            set.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            files.iter().map(|f| f.0).collect::<Vec<_>>()
        );
        for (file, (path, content)) in set.files.iter().zip(files) {
            let joined: String = file
                .chunks
                .iter()
                .map(|chunk| &file.text[chunk.start_byte as usize..chunk.end_byte as usize])
                .collect();
            assert_eq!(joined, file.text, "{path}");
            let skipped = ["empty.txt", "logo.png"].contains(path);
            assert_eq!(file.text, if skipped { "" } else { content }, "{path}");
        }
    }
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions").await, 7);
    assert_eq!(
        fixture
            .count("SELECT count(*) FROM file_versions WHERE skip_reason IN ('empty', 'binary') AND text_zstd IS NULL")
            .await,
        2
    );
}

#[tokio::test]
async fn the_stored_text_is_the_decoded_one() {
    let fixture = Fixture::new(&[]).await;
    // "größe" in Latin-1, long enough to be told from other encodings.
    let latin = b"# Die gr\xf6\xdfe der Datei w\xe4chst \xfcber Nacht.\n".repeat(4);
    let file = fixture.file("notes.md", &latin);
    fixture.list("notes.md", &file, Some(0), None).await;
    fixture.deliver_batch(&fixture.batch_of(0, vec![file])).await.unwrap();
    let (encoding, text): (String, Vec<u8>) = sqlx::query_as("SELECT encoding, text_zstd FROM file_versions")
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    let text = String::from_utf8(zstd::bulk::decompress(&text, 10_000).unwrap()).unwrap();
    assert_eq!(text, "# Die größe der Datei wächst über Nacht.\n".repeat(4), "{encoding}");
}

#[tokio::test]
async fn a_known_file_version_is_not_written_again() {
    let mut fixture = Fixture::new(&BATCHES).await;
    let first = fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    let symbols = fixture.count("SELECT count(*) FROM symbols").await;
    // Marks the rows of the winner.
    sqlx::query("UPDATE file_versions SET encoding = 'first'").execute(fixture.database.pool()).await.unwrap();

    fixture.next_run(&BATCHES).await;
    let again = fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions WHERE encoding = 'first'").await, 3);
    assert_eq!(fixture.count("SELECT count(*) FROM symbols").await, symbols);
    assert_eq!(output::<v1::ChunksBatch>(&again).chunks, output::<v1::ChunksBatch>(&first).chunks);
}

#[tokio::test]
async fn runs_that_race_for_the_same_files_write_them_once() {
    let one = Fixture::new(&BATCHES).await;
    let messages: Vec<_> = (0..8).map(|number| one.batch(number, BATCHES[0])).collect();
    let handled = futures::future::join_all(messages.iter().map(|message| one.deliver_batch(message))).await;
    assert!(handled.iter().all(Result::is_ok), "{handled:?}");
    assert_eq!(one.count("SELECT count(*) FROM file_versions").await, 3);
    let alone = Fixture::new(&BATCHES).await;
    alone.deliver_batch(&alone.batch(0, BATCHES[0])).await.unwrap();
    let symbols = "SELECT count(*) FROM symbols";
    assert_eq!(one.count(symbols).await, alone.count(symbols).await);
}

#[tokio::test]
async fn a_file_that_breaks_the_analyser_is_skipped_alone() {
    let fixture = Fixture::with_analyser(&BATCHES, |path, bytes| {
        assert!(!path.ends_with("lib.rs"), "the analyser breaks on this file");
        caffeine_analysis::analyse(path, bytes)
    })
    .await;
    let handled = fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    let skipped: Vec<(String, String)> =
        sqlx::query_as("SELECT path, language FROM file_versions WHERE skip_reason = 'analysis_failed'")
            .fetch_all(fixture.database.pool())
            .await
            .unwrap();
    assert_eq!(skipped, [("src/lib.rs".to_owned(), "rust".to_owned())]);
    let set = chunk_set(&output(&handled));
    assert_eq!(set.files.iter().filter(|file| file.chunks.is_empty()).count(), 1);
    assert!(fixture.count("SELECT count(*) FROM symbols").await >= 2);
}

#[tokio::test]
async fn cancelled_work_is_handed_back() {
    let fixture = Fixture::new(&BATCHES).await;
    let message = fixture.batch(0, BATCHES[0]);
    fixture.cancelled.cancel();
    assert_eq!(fixture.deliver_batch(&message).await, Err(Failure::HandBack { after: Duration::ZERO }));
    assert_eq!(fixture.count("SELECT count(*) FROM file_versions").await, 0);
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_runs").await, 0);
}

#[tokio::test]
async fn a_deleted_repository_cancels_its_work() {
    let fixture = Fixture::new(&BATCHES).await;
    sqlx::query("DELETE FROM repositories").execute(fixture.database.pool()).await.unwrap();
    assert_eq!(fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await, Err(Failure::Cancelled));
    assert_eq!(fixture.deliver_listed(&fixture.listed(0)).await, Err(Failure::Cancelled));
    assert_eq!(fixture.deliver_link().await, Err(Failure::Cancelled));
}
