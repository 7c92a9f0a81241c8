//! `link.requested`

use caffeine_contract::{Kind, v1};
use v1::run_transition::Transition;

use crate::fixture::{BATCHES, Fixture, kinds, output, rejection};

async fn analysed_run() -> Fixture {
    let fixture = Fixture::new(&BATCHES).await;
    for (number, files) in (0..).zip(BATCHES) {
        fixture.deliver_batch(&fixture.batch(number, files)).await.unwrap();
    }
    fixture.deliver_listed(&fixture.listed(3)).await.unwrap();
    fixture
}

fn analysed(message: &v1::RunTransition) -> v1::Analysed {
    match &message.transition {
        Some(Transition::Analysed(analysed)) => *analysed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn linked_twice_the_same_rows_and_outputs() {
    let fixture = analysed_run().await;
    let too_large = fixture.file("video.bin", b"x");
    fixture.list("video.bin", &too_large, None, Some("too_large")).await;
    let first = fixture.deliver_link().await.unwrap();
    assert_eq!(kinds(&first), [Kind::DocumentReady, Kind::RunTransition]);
    let ready: v1::DocumentReady = output(&first);
    assert_eq!((ready.phase(), ready.failure), (v1::Phase::Analysed, None));
    let counts = analysed(&output(&first));
    assert_eq!((counts.files, counts.skipped, counts.failed_batches), (5, 3, 0));
    assert_eq!(i64::from(counts.symbols), fixture.count("SELECT count(*) FROM symbols").await);
    assert_eq!(i64::from(counts.edges), fixture.count("SELECT count(*) FROM edges").await);
    assert_eq!(i64::from(counts.modules), fixture.count("SELECT count(*) FROM modules").await);
    let dump = fixture.dump().await;

    assert_eq!(fixture.deliver_link().await.unwrap(), first);
    assert_eq!(fixture.dump().await, dump);
    assert_eq!(fixture.outcome(Kind::LinkRequested, "").await.unwrap().0, "done");
}

/// Source, destination, kind, tier, line and count of an edge.
type EdgeColumns = (String, Option<i32>, String, Option<i32>, String, i16, i32, i32);

#[tokio::test]
async fn the_graph_is_what_linking_says() {
    let fixture = analysed_run().await;
    fixture.deliver_link().await.unwrap();
    let analyses = BATCHES.iter().copied().flatten().map(|(path, content)| {
        caffeine_analysis::LinkFile::of(path, caffeine_analysis::analyse(path, content.as_bytes()))
    });
    let (files, mut mentions): (Vec<_>, Vec<_>) = analyses.unzip();
    mentions.sort_by(|left, right| left.path.cmp(&right.path));
    let expected = caffeine_analysis::link(&files, mentions);
    assert!(!expected.edges.is_empty() && !expected.modules.is_empty(), "the sample has a graph");

    let edges: Vec<EdgeColumns> = sqlx::query_as(
        "SELECT src_path, src_symbol, dst_path, dst_symbol, kind, tier, line, count FROM edges ORDER BY ordinal",
    )
    .fetch_all(fixture.database.pool())
    .await
    .unwrap();
    let number = |value: u32| i32::try_from(value).unwrap();
    let expected_edges: Vec<_> = expected
        .edges
        .iter()
        .map(|edge| {
            (
                expected.path(edge.src).to_owned(),
                edge.src_symbol.map(number),
                expected.path(edge.dst).to_owned(),
                edge.dst_symbol.map(number),
                edge.kind.as_str().to_owned(),
                i16::from(edge.tier),
                number(edge.line),
                number(edge.count),
            )
        })
        .collect();
    assert_eq!(edges, expected_edges);
    let ranks: Vec<(String, f64)> = sqlx::query_as("SELECT path, rank FROM module_files ORDER BY path")
        .fetch_all(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(ranks, expected.file_ranks);
    assert_eq!(fixture.count("SELECT count(*) FROM modules").await, i64::try_from(expected.modules.len()).unwrap());
}

#[tokio::test]
async fn another_run_links_the_known_files_too() {
    let mut fixture = analysed_run().await;
    let first = analysed(&output(&fixture.deliver_link().await.unwrap()));
    fixture.next_run(&BATCHES).await;
    let listed = fixture.deliver_listed(&fixture.listed(0)).await.unwrap();
    assert_eq!(kinds(&listed), [Kind::LinkRequested]);
    assert_eq!(analysed(&output(&fixture.deliver_link().await.unwrap())), first);
}

#[tokio::test]
async fn a_run_that_cannot_be_linked_ends_with_a_reason() {
    let fixture = analysed_run().await;
    let handled = fixture.reject_link(&rejection()).await.unwrap();
    assert_eq!(kinds(&handled), [Kind::DocumentReady, Kind::RunTransition]);
    assert_eq!(output::<v1::DocumentReady>(&handled).failure.unwrap().code, "bad_batch");
    let Some(Transition::Failed(failed)) = output::<v1::RunTransition>(&handled).transition else {
        panic!("{handled:?}")
    };
    assert_eq!((failed.stage.as_str(), failed.failure.unwrap().reason.as_str()), ("analyse", "it is broken"));
    // A batch that comes again asks for no linking any more.
    let again = fixture.deliver_batch(&fixture.batch(0, BATCHES[0])).await.unwrap();
    assert_eq!(kinds(&again), [Kind::ChunksBatch]);
}

#[tokio::test]
async fn a_rejection_after_the_link_repeats_its_outputs() {
    let fixture = analysed_run().await;
    let linked = fixture.deliver_link().await.unwrap();
    assert_eq!(fixture.reject_link(&rejection()).await.unwrap(), linked);
    assert_eq!(fixture.count("SELECT count(*) FROM chunk_runs WHERE failure_code IS NOT NULL").await, 0);
    assert_eq!(fixture.outcome(Kind::LinkRequested, "").await.unwrap().0, "done");
}

/// Links with room for so many rows; says how many edges of files and of symbols there are, and how many modules.
async fn check_room(max_link_rows: u32) -> (i64, i64, i64) {
    let fixture = analysed_run().await;
    let store = caffeine_store::Store::connect(fixture.database.url(), 2, "test").await.unwrap();
    let config = caffeine_chunker::ChunkerConfig { threads: 1, max_link_rows };
    let chunker = caffeine_chunker::Chunker::new(store, &config, caffeine_analysis::analyse);
    let fixture = Fixture { chunker, ..fixture };
    fixture.deliver_link().await.unwrap();
    (
        fixture.count("SELECT count(*) FROM edges WHERE kind = 'import'").await,
        fixture.count("SELECT count(*) FROM edges WHERE kind <> 'import'").await,
        fixture.count("SELECT count(*) FROM modules").await,
    )
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_of_the_graph() {
    let all = check_room(1_000).await;
    assert!(all.0 > 0 && all.1 > 0 && all.2 > 0, "{all:?}");
    let fixture = analysed_run().await;
    let rows = async |statement| u32::try_from(fixture.count(statement).await).unwrap();
    let imports = rows("SELECT count(*) FROM imports").await;
    let symbols = rows("SELECT count(*) FROM symbols").await;
    let refs = rows("SELECT count(*) FROM refs").await;
    assert_eq!(check_room(imports + symbols + refs).await, all);
    let without_refs = check_room(imports + symbols + refs - 1).await;
    assert_eq!((without_refs.0 > 0, without_refs.1, without_refs.2), (true, 0, all.2));
    let without_symbols = check_room(imports + symbols - 1).await;
    assert_eq!((without_symbols.1, without_symbols.2), (0, all.2));
    assert_eq!(check_room(0).await, (0, 0, all.2));
}
