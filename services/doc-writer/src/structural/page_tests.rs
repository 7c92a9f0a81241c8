//! All pages of the small repository, with names that mean harm.

use std::collections::{BTreeMap, BTreeSet};

use caffeine_store::doc_writer::PageRow;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::{
    Links, ModuleInput, OverviewInput, api_contents, api_part, dependencies, module, overview, report, small_modules,
    symbol_contents, symbol_part,
};
use crate::facts::{Facts, sample};
use crate::markdown::{Written, check};
use crate::plan::{ApiSubject, IndexSubject, PageKind, api_subject, index_subject, module_slugs, structural_pages};

const README: &str = "# queue\n\n[![CI](https://ci.example/b.svg)](https://ci.example)\n\nA *queue* of jobs, \
    <b>stored</b> on disk\nso that nothing gets lost. | x | </details>\n\nMore.\n";

/// Writes a page as the writer does, from symbols in memory instead of rows.
fn write(facts: &Facts, pages: &[PageRow], page: &PageRow) -> Written {
    let links = Links::new(pages);
    let readme = ("README.md".to_owned(), README.to_owned());
    let symbols = sample::symbols();
    let docs = sample::file_docs();
    match PageKind::from_word(&page.kind).unwrap() {
        PageKind::Overview => overview(&OverviewInput {
            facts,
            links: &links,
            notice: Some("No model is configured; the template “<b>x</b>” was not used."),
            readme: Some(&readme),
            symbols: &symbols,
        }),
        PageKind::Module => {
            let modules: Vec<_> = module_slugs(&page.subject).filter_map(|slug| facts.module(slug)).collect();
            let [only] = modules.as_slice() else { return small_modules(&page.title, &modules, facts, &links) };
            let api: Vec<_> = symbols.into_iter().filter(|symbol| symbol.module == only.slug).collect();
            let file_docs: Vec<_> = docs.into_iter().filter(|symbol| symbol.module == only.slug).collect();
            let readme = only.path.is_empty().then_some(&readme);
            let members = sample::members();
            module(
                only,
                &ModuleInput { facts, links: &links, readme, file_docs: &file_docs, api: &api, members: &members },
            )
        }
        PageKind::Api => match api_subject(&page.subject) {
            ApiSubject::Contents => api_contents(&page.title, facts, &links),
            ApiSubject::Part(part) => api_part(&page.title, facts, &links, &symbols, &sample::members(), part),
        },
        PageKind::Symbols => match index_subject(&page.subject) {
            IndexSubject::Contents => symbol_contents(&page.title, facts, &links),
            IndexSubject::Part(..) => symbol_part(&page.title, facts, &links, &symbols),
        },
        PageKind::Dependencies => dependencies(&page.title, facts, &links),
        PageKind::Report => report(&page.title, facts),
        PageKind::Template => unreachable!("no structural page"),
    }
}

fn write_all(facts: &Facts) -> BTreeMap<String, Written> {
    let pages = sample::rows(structural_pages(facts));
    pages.iter().map(|page| (page.slug.clone(), write(facts, &pages, page))).collect()
}

/// No HTML, no foreign link, every link leads to a page or to lines that exist, every recorded citation is in the text.
fn assert_sound(facts: &Facts, written: &BTreeMap<String, Written>) {
    for (slug, page) in written {
        assert_eq!(check(&page.markdown), [], "{slug}\n{}", page.markdown);
        assert!(!page.markdown.contains(['\u{202e}', '\0']), "{slug}");
        let mut cited = BTreeSet::new();
        for event in Parser::new_ext(&page.markdown, Options::all()) {
            let Event::Start(Tag::Link { dest_url, .. }) = event else { continue };
            if dest_url.starts_with("sources/") {
                cited.insert(dest_url.into_string());
            } else {
                let target = dest_url.strip_suffix(".md").unwrap_or_default();
                assert!(written.contains_key(target), "{slug}: {dest_url}");
            }
        }
        assert_eq!(cited.len(), page.citations.len(), "{slug}: links and rows are the same citations");
        for citation in &page.citations {
            let file = facts.file(&citation.path).unwrap();
            assert!(file.has_text && citation.start_line >= 1 && citation.end_line <= file.lines, "{citation:?}");
            assert!(citation.start_line <= citation.end_line && citation.oid == file.oid);
        }
    }
}

#[test]
fn pages_of_a_small_repository() {
    let facts = sample::facts();
    let written = write_all(&facts);
    assert_sound(&facts, &written);
    assert_eq!(written, write_all(&facts), "the same facts give the same bytes");
    for (slug, page) in &written {
        insta::assert_snapshot!(slug.clone(), page.markdown);
    }
}

#[test]
fn an_empty_repository_says_what_it_does_not_know() {
    let mut facts = sample::facts();
    facts.files.clear();
    facts.modules.clear();
    facts.edges.clear();
    facts.packages.clear();
    facts.counts.clear();
    facts.run.truncated = false;
    let pages = sample::rows(structural_pages(&facts));
    let links = Links::new(&pages);
    let first = overview(&OverviewInput { facts: &facts, links: &links, notice: None, readme: None, symbols: &[] });
    insta::assert_snapshot!("index_of_nothing", first.markdown);
    let report = report("Analysis report", &facts);
    assert!(report.markdown.contains("The snapshot has no files."), "{}", report.markdown);
    assert_eq!(check(&first.markdown), []);
}

#[test]
fn many_symbols_and_modules_still_link_to_each_other() {
    let mut facts = sample::facts();
    for row in &mut facts.counts {
        row.symbols = 3_000;
        row.exported = 900;
    }
    for number in 0..1_200 {
        let mut module = facts.modules[1].clone();
        module.slug = format!("z-{number:04}");
        module.path = format!("z/{number}");
        facts.modules.push(module);
    }
    let written = write_all(&facts);
    assert_sound(&facts, &written);
    assert!(written["modules-1"].markdown.contains("share this one"));
    assert!(written["public-api"].markdown.contains("public-api-9.md"));
    assert!(written["symbols"].markdown.contains("symbols-q-2.md"), "{}", written["symbols"].markdown);
}

#[test]
fn every_name_may_be_hostile() {
    let hostile = sample::HOSTILE_DOC;
    let mut facts = sample::facts();
    facts.run.repository = hostile.to_owned();
    facts.run.reference = "`a` | <b>".to_owned();
    for module in &mut facts.modules {
        module.path = format!("{hostile}{}", module.slug);
    }
    for file in &mut facts.files {
        file.language = Some("`<x>|\n".to_owned());
        file.category = Some(hostile.to_owned());
        file.skip = Some("]( <y>".to_owned());
    }
    assert_sound(&facts, &write_all(&facts));
}
