//! `chunks.batch`

use std::sync::Arc;
use std::time::Duration;

use caffeine_bus::Failure;
use caffeine_contract::Kind;
use caffeine_embedding::{EmbedError, Embedder, Embedding, lexical};

use crate::fixture::{BATCHES, Fixture, TABLE, kinds};

#[tokio::test]
async fn delivered_twice_the_same_rows_and_outputs() {
    let fixture = Fixture::new(&BATCHES).await;
    let message = fixture.batch(0, BATCHES[0]);
    let first = fixture.deliver_batch(&message).await.unwrap();
    assert_eq!(kinds(&first), []);
    assert_eq!(fixture.count("SELECT count(*) FROM chunks WHERE embedding IS NOT NULL").await, 3);
    assert_eq!(fixture.outcome(Kind::ChunksBatch, "0").await.unwrap().0, "done");
    let dump = fixture.dump().await;
    assert_eq!(fixture.deliver_batch(&message).await.unwrap(), first);
    assert_eq!(fixture.dump().await, dump);

    fixture.deliver_listed(&fixture.listed(1)).await.unwrap();
    let last = fixture.deliver_batch(&message).await.unwrap();
    assert_eq!(kinds(&last), [Kind::DocumentReady, Kind::RunTransition]);
    assert_eq!(fixture.deliver_batch(&message).await.unwrap(), last);
    assert_eq!(fixture.dump().await, dump);
}

#[tokio::test]
async fn vector_and_lexemes_are_those_of_header_and_text() {
    let fixture = Fixture::new(&BATCHES).await;
    fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    let (content, lines, lexemes, vector): (String, Vec<i32>, Vec<String>, String) = sqlx::query_as(
        "SELECT content, ARRAY[start_line, end_line], tsvector_to_array(lexemes), embedding::text \
         FROM chunks WHERE path = 'src/pool.rs' AND ordinal = 1",
    )
    .fetch_one(fixture.database.pool())
    .await
    .unwrap();
    assert_eq!((content.as_str(), lines.as_slice()), ("fn acquire() {}\n\nfn release() {}\n", [2, 4].as_slice()));
    let text = format!("src/pool.rs (rust) | impl Pool\n{content}");
    assert_eq!(lexemes, lexical::lexemes(&text));
    assert!(lexemes.contains(&"acquire".to_owned()) && lexemes.contains(&"pool".to_owned()), "{lexemes:?}");
    let expected = TABLE.embed(&[&text]).unwrap().remove(0).into_vector().unwrap();
    let stored: Vec<f32> = vector.trim_matches(['[', ']']).split(',').map(|number| number.parse().unwrap()).collect();
    assert_eq!(stored.len(), 256);
    let worst = stored.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-3, "{worst}");
    // What search will ask.
    let found = fixture
        .count("SELECT count(*) FROM chunks WHERE lexemes @@ 'acquire'::tsquery AND embedding <=> embedding < 0.001");
    assert_eq!(found.await, 1);
}

#[tokio::test]
async fn a_text_without_known_words_has_no_vector_and_a_file_without_chunks_is_embedded() {
    let odd = Arc::new(Silent(Embedding::Empty));
    let fixture = Fixture::with_model(&BATCHES, odd).await;
    fixture.deliver_batch(&fixture.batch(1, BATCHES[1])).await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM chunks WHERE embedding IS NULL").await, 1);
    assert_eq!(fixture.count("SELECT count(*) FROM embedded_versions WHERE chunks = 0").await, 1);
}

#[tokio::test]
async fn a_known_file_version_is_not_written_again() {
    let mut fixture = Fixture::new(&BATCHES).await;
    fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    // Marks the rows of the winner.
    sqlx::query("UPDATE chunks SET symbol = 'first'").execute(fixture.database.pool()).await.unwrap();
    fixture.next_run(&BATCHES).await;
    fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM chunks WHERE symbol = 'first'").await, 3);
    assert_eq!(fixture.count("SELECT count(*) FROM chunks").await, 3);
}

#[tokio::test]
async fn cancelled_work_is_handed_back() {
    let fixture = Fixture::new(&BATCHES).await;
    let message = fixture.batch(0, BATCHES[0]);
    fixture.cancelled.cancel();
    assert_eq!(fixture.deliver_batch(&message).await, Err(Failure::HandBack { after: Duration::ZERO }));
    assert_eq!(fixture.count("SELECT count(*) FROM embed_runs").await, 0);
}

#[tokio::test]
async fn a_model_that_does_not_work_is_asked_again() {
    let fixture = Fixture::with_model(&BATCHES, Arc::new(Broken)).await;
    for number in [0, 1] {
        let failure = fixture.deliver_batch(&fixture.batch(number, BATCHES[number as usize])).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    }
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_batches").await, 0);
}

#[tokio::test]
async fn a_deleted_repository_cancels_its_work() {
    let fixture = Fixture::new(&BATCHES).await;
    sqlx::query("DELETE FROM repositories").execute(fixture.database.pool()).await.unwrap();
    assert_eq!(fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await, Err(Failure::Cancelled));
    assert_eq!(fixture.deliver_listed(&fixture.listed(0)).await, Err(Failure::Cancelled));
}

#[tokio::test]
async fn the_schema_has_room_for_the_default_model() {
    let fixture = Fixture::new(&[]).await;
    let store = caffeine_store::Store::connect(fixture.database.url(), 1, "test").await.unwrap();
    assert_eq!(store.embedding_dimensions().await.unwrap(), TABLE.dimensions());
}

/// Answers the same to everything.
struct Silent(Embedding);

impl Embedder for Silent {
    fn model(&self) -> &str {
        "silent"
    }

    fn dimensions(&self) -> usize {
        256
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
        Ok(vec![self.0.clone(); texts.len()])
    }
}

/// Answers one text of a batch, and breaks on a single one.
struct Broken;

impl Embedder for Broken {
    fn model(&self) -> &str {
        "broken"
    }

    fn dimensions(&self) -> usize {
        256
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
        match texts {
            [_] => Err(EmbedError::DamagedTable("it is broken")),
            _ => Ok(vec![Embedding::Empty]),
        }
    }
}
