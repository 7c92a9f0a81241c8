//! `page.requested`: pages, their citations, and the end of the document.

use std::collections::BTreeSet;

use caffeine_bus::Failure;
use caffeine_doc_writer::markdown::check;
use caffeine_model::DocumentId;

use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::fixture::{Fixture, structural, transitions};

#[tokio::test]
async fn every_page_is_sound_and_the_last_one_ends_the_document() {
    let fixture = Fixture::new().await;
    let (document, pages) = fixture.begin(&structural()).await;
    let known: BTreeSet<&str> = pages.iter().map(String::as_str).collect();
    for (number, slug) in pages.iter().enumerate() {
        let end = fixture.page(document, slug).await.unwrap();
        assert_eq!((end.done as usize, end.total as usize), (number + 1, pages.len()));
        let last = number + 1 == pages.len();
        let expected = if last { vec![format!("completed 0/{}", pages.len())] } else { vec![] };
        assert_eq!(transitions(&end.outputs), expected);
    }
    for slug in &pages {
        let markdown = fixture.markdown(document, slug).await;
        assert_eq!(check(&markdown), [], "{slug}\n{markdown}");
        for event in Parser::new_ext(&markdown, Options::ENABLE_TABLES) {
            if let Event::Start(Tag::Link { dest_url: link, .. }) = event {
                let target = link.strip_suffix(".md").unwrap_or(&link);
                assert!(link.starts_with("sources/") || known.contains(target), "{slug}: {link}");
            }
        }
    }
    let outside = fixture.text(
        "SELECT c.path FROM citations c JOIN snapshot_files s USING (path) JOIN file_versions f USING (file_version_id) \
         WHERE c.end_line > f.lines OR c.oid <> s.oid OR f.text_zstd IS NULL",
    );
    assert_eq!(outside.await, "", "every citation points at lines that exist");
    assert_eq!(fixture.text("SELECT state || coalesce(notice, '') FROM documents").await, "completed");

    let index = fixture.markdown(document, "index").await;
    for words in [
        "Keeps connections to a server open and hands them out.",
        "**pool** 0.1.0: Connections",
        "[src/store](module-src-store.md)",
        "| Name | pool [`README.md:L1`](sources/README.md#L1) |",
        "`0707070707070707070707070707070707070707`",
    ] {
        assert!(index.contains(words), "{words} in\n{index}");
    }
    let source = fixture.markdown(document, "module-src").await;
    assert!(source.contains("pub fn acquire(&self) -> u32"), "{source}");
    assert!(source.contains("A pool of connections."), "{source}");
    assert!(source.contains("Hands out connections. Not . ["), "no tags, no picture: {source}");
    assert!(source.contains("- `First(u8)`: Like *no* `other`.\n"), "{source}");
    assert!(fixture.markdown(document, "dependencies").await.contains("`serde`"));
    assert!(fixture.markdown(document, "analysis-report").await.contains("| `link` | symlink |"));
    let symbols = fixture.markdown(document, "symbols").await;
    assert!(symbols.contains("`acquires`") && symbols.contains("[src/store](module-src-store.md)"), "{symbols}");
    assert!(!fixture.markdown(document, "public-api").await.contains("acquires"), "tests are no interface");
}

#[tokio::test]
async fn delivered_twice_the_same_rows_and_outputs() {
    let fixture = Fixture::new().await;
    let (document, pages) = fixture.begin(&structural()).await;
    for slug in &pages {
        let first = fixture.page(document, slug).await.unwrap();
        let rows = fixture.dump().await;
        assert_eq!(fixture.page(document, slug).await.unwrap(), first);
        assert_eq!(fixture.dump().await, rows);
    }
}

#[tokio::test]
async fn two_documents_of_a_run_are_the_same_bytes() {
    let fixture = Fixture::new().await;
    let (first, pages) = fixture.begin(&structural()).await;
    let message = structural();
    fixture.request(&message).await.unwrap();
    let second = crate::fixture::document_of(&message);
    for slug in &pages {
        fixture.page(first, slug).await.unwrap();
        fixture.page(second, slug).await.unwrap();
        assert_eq!(fixture.markdown(first, slug).await, fixture.markdown(second, slug).await);
    }
}

#[tokio::test]
async fn a_failed_page_does_not_keep_the_document_from_ending() {
    let fixture = Fixture::new().await;
    let (document, pages) = fixture.begin(&structural()).await;
    let (bad, rest) = pages.split_last().unwrap();
    for slug in rest {
        fixture.page(document, slug).await.unwrap();
    }
    let end = fixture.reject_page(document, bad, "It was too hard.").await;
    assert_eq!(transitions(&end.outputs), [format!("completed 1/{}", pages.len())]);
    assert_eq!(fixture.reject_page(document, bad, "It was too hard.").await, end, "a repeat says the same");
    assert_eq!(fixture.text("SELECT state FROM documents").await, "completed_with_errors");
    assert_eq!(fixture.text("SELECT failure_reason FROM pages WHERE state = 'failed'").await, "It was too hard.");
    // Asked for again, it replaces its failure.
    let end = fixture.page(document, bad).await.unwrap();
    assert_eq!(transitions(&end.outputs), [format!("completed 0/{}", pages.len())]);
    assert_eq!(fixture.text("SELECT state FROM documents").await, "completed");
    // A published page stays published.
    fixture.reject_page(document, bad, "Late.").await;
    assert_eq!(fixture.text("SELECT DISTINCT state FROM pages").await, "published");
}

#[tokio::test]
async fn a_document_without_any_page_has_failed() {
    let fixture = Fixture::new().await;
    let (document, pages) = fixture.begin(&structural()).await;
    let mut last = Vec::new();
    for slug in &pages {
        last = fixture.reject_page(document, slug, "The model declined.").await.outputs;
    }
    let total = pages.len();
    assert_eq!(transitions(&last), [format!("completed {total}/{total} no_page_written: The model declined.")]);
    assert_eq!(fixture.text("SELECT state || ' ' || notice FROM documents").await, "failed The model declined.");
}

#[tokio::test]
async fn pages_that_are_not_there() {
    let fixture = Fixture::new().await;
    let (document, _) = fixture.begin(&structural()).await;
    assert!(matches!(fixture.page(document, "nowhere").await, Err(Failure::Reject { code: "no_such_page", .. })));
    let end = fixture.reject_page(document, "nowhere", "x").await;
    assert_eq!(end.outputs, []);
    sqlx::query("UPDATE documents SET state = 'cancelled'").execute(fixture.database.pool()).await.unwrap();
    assert_eq!(fixture.page(document, "index").await, Err(Failure::Cancelled));
    sqlx::query("DELETE FROM repositories").execute(fixture.database.pool()).await.unwrap();
    assert_eq!(fixture.page(document, "index").await, Err(Failure::Cancelled));
}

#[tokio::test]
async fn the_last_two_pages_at_the_same_time() {
    let fixture = Fixture::new().await;
    let (document, pages) = fixture.begin(&structural()).await;
    let (last, rest) = pages.split_at(2);
    for slug in rest {
        fixture.page(document, slug).await.unwrap();
    }
    let (a, b) = tokio::join!(fixture.page(document, &last[0]), fixture.page(document, &last[1]));
    let ended = [a.unwrap(), b.unwrap()].iter().filter(|end| !end.outputs.is_empty()).count();
    assert_eq!(ended, 1, "the one that was last under the lock");
}

#[tokio::test]
async fn parts_of_the_public_interface_are_the_whole_list_in_order() {
    let fixture = Fixture::new().await;
    let facts = caffeine_doc_writer::facts::load_facts(&fixture.store, &fixture.scope).await.unwrap().unwrap();
    let total = facts.totals().exported;
    assert!(facts.totals_by_module().values().filter(|module| module.exported > 0).count() > 1 && total > 3);
    let part = async |offset, limit| {
        let (modules, first) = facts.modules_of_api(offset, limit);
        let Fixture { store, scope, .. } = &fixture;
        let rows =
            store.api_symbols(scope.workspace, scope.run, &scope.analyser, &modules, first, limit).await.unwrap();
        rows.into_iter().map(|row| (row.module, row.path, row.ordinal)).collect::<Vec<_>>()
    };
    let whole = part(0, total).await;
    assert_eq!(whole.len(), total as usize);
    assert!(whole.is_sorted());
    for limit in 1..=total {
        let mut parts = Vec::new();
        for offset in (0..total).step_by(limit as usize) {
            parts.extend(part(offset, limit).await);
        }
        assert_eq!(parts, whole, "{limit} at a time");
    }
    assert_eq!(part(total, 5).await, []);
}

#[tokio::test]
async fn parts_of_the_index_are_the_whole_list_in_order_and_nothing_stays_of_it() {
    let fixture = Fixture::new().await;
    let facts = caffeine_doc_writer::facts::load_facts(&fixture.store, &fixture.scope).await.unwrap().unwrap();
    let Fixture { store, scope, .. } = &fixture;
    let part = async |offset, limit| {
        let rows = store.symbol_index(scope.workspace, scope.run, &scope.analyser, offset, limit).await.unwrap();
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    let total = facts.totals().symbols;
    // Pages that begin at the same time make it once.
    let (whole, again) = tokio::join!(part(0, total), part(0, total));
    assert_eq!(whole, again);
    assert_eq!(fixture.text("SELECT count(*)::text FROM symbol_positions").await, total.to_string());
    let letter = |name: &str| match name.chars().next().map(|first| first.to_ascii_lowercase()) {
        Some(first) if first.is_ascii_lowercase() => first.to_string(),
        _ => "_".to_owned(),
    };
    assert!(whole.is_sorted_by_key(|name| (letter(name), name.to_lowercase(), name.clone())), "{whole:?}");
    let mut parts = Vec::new();
    for (of, symbols) in facts.letters() {
        let here = part(facts.symbols_before(of), symbols).await;
        assert!(!here.is_empty() && here.iter().all(|name| letter(name) == of), "{of}: {here:?}");
        parts.extend(here);
    }
    assert_eq!(parts, whole);

    let (document, pages) = fixture.begin(&structural()).await;
    // A second document of the run has an index, too.
    sqlx::query(
        "INSERT INTO documents SELECT (jsonb_populate_record(d, \
         jsonb_build_object('document_id', gen_random_uuid()))).* FROM documents d",
    )
    .execute(fixture.database.pool())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO pages SELECT (jsonb_populate_record(p, jsonb_build_object('document_id', o.document_id))).* \
         FROM pages p, documents o WHERE o.document_id <> p.document_id",
    )
    .execute(fixture.database.pool())
    .await
    .unwrap();
    for slug in &pages {
        fixture.page(document, slug).await.unwrap();
    }
    let positions = "SELECT count(*)::text FROM symbol_positions";
    assert_eq!(fixture.text(positions).await, total.to_string(), "the other one is not written yet");
    let other = fixture.text("SELECT document_id::text FROM documents WHERE state <> 'completed'").await;
    let other = DocumentId::from_uuid(other.parse().unwrap());
    for slug in &pages {
        fixture.page(other, slug).await.unwrap();
    }
    assert_eq!(fixture.text(positions).await, "0");
}
