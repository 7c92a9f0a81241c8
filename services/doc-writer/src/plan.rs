//! Which pages a document has: a pure function of the snapshot, so that a repeat plans the same pages.

use std::collections::{BTreeMap, BTreeSet};

use caffeine_model::DocumentId;
use caffeine_store::doc_writer::{ModuleRow, NewPage, PageRow};

use crate::facts::{Facts, Totals};
use crate::markdown::line;

/// The most pages of a document: fewer than fit into a repository's window of the page queue.
const MAX_PAGES: usize = 1_000;
/// Pages over which the small modules are spread that get no page of their own.
const SHARED_PAGES: usize = 20;
/// Symbols on a page of the public interface, before it is split and at most.
const API_PAGE: (u32, u32) = (400, 2_000);
/// Symbols on a page of the index, before it is split and at most.
const INDEX_PAGE: (u32, u32) = (1_500, 5_000);
/// The most parts of a split page.
const MAX_PARTS: u32 = 150;
/// Longest slug of a module that is used as it is: slugs become file names.
const MAX_SLUG: usize = 100;

/// Which writer a page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// The first page.
    Overview,
    /// A module, or several small ones.
    Module,
    /// The public interface, or a part of it.
    Api,
    /// The index of symbols, or a part of it.
    Symbols,
    /// Packages.
    Dependencies,
    /// What was analysed, and how well.
    Report,
    /// Written by a model from a prompt template.
    Template,
}

impl PageKind {
    const ALL: [Self; 7] =
        [Self::Overview, Self::Module, Self::Api, Self::Symbols, Self::Dependencies, Self::Report, Self::Template];

    /// The word in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Module => "module",
            Self::Api => "api",
            Self::Symbols => "symbols",
            Self::Dependencies => "dependencies",
            Self::Report => "report",
            Self::Template => "template",
        }
    }

    /// The kind that a row names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A part of a long list: what rows of it a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Rows before it.
    pub offset: u32,
    /// Rows it shows at most.
    pub limit: u32,
}

/// What a page of the index shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexSubject {
    /// Links to the parts.
    Contents,
    /// Names that begin with a letter (empty for all).
    Part(String, Part),
}

/// What a page of the public interface shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiSubject {
    /// Links to the parts.
    Contents,
    /// Some of the symbols.
    Part(Part),
}

/// Reads the subject of a page of the index.
#[must_use]
pub fn index_subject(subject: &str) -> IndexSubject {
    match subject.split_once(':') {
        Some((letter, part)) => IndexSubject::Part(letter.to_owned(), parse_part(part)),
        None => IndexSubject::Contents,
    }
}

/// Reads the subject of a page of the public interface.
#[must_use]
pub fn api_subject(subject: &str) -> ApiSubject {
    if subject == "contents" { ApiSubject::Contents } else { ApiSubject::Part(parse_part(subject)) }
}

/// The modules that a page is about.
pub fn module_slugs(subject: &str) -> impl Iterator<Item = &str> {
    subject.split(',').filter(|slug| !slug.is_empty())
}

/// How a module is called in titles and links: its directory.
#[must_use]
pub fn module_title(module: &ModuleRow) -> String {
    if module.path.is_empty() { "Top directory".to_owned() } else { line(&module.path) }
}

/// The page of each module.
#[must_use]
pub fn pages_of_modules(pages: &[PageRow]) -> BTreeMap<&str, &str> {
    let module_pages = pages.iter().filter(|page| page.kind == PageKind::Module.as_str());
    module_pages.flat_map(|page| module_slugs(&page.subject).map(|module| (module, page.slug.as_str()))).collect()
}

/// The pages of a document that a model writes from a template: one.
#[must_use]
pub fn template_pages(title: &str) -> Vec<NewPage> {
    vec![page("index", None, title, PageKind::Template, String::new())]
}

/// The pages of a document that is written from the analysis alone.
#[must_use]
pub fn structural_pages(facts: &Facts) -> Vec<NewPage> {
    let api = api_pages(facts);
    let index = index_pages(facts);
    let rest = api.len() + index.len() + 3;
    let mut pages = vec![page("index", None, "Overview", PageKind::Overview, String::new())];
    pages.extend(module_pages(facts, MAX_PAGES.saturating_sub(rest)));
    pages.extend(api);
    pages.extend(index);
    pages.push(page("dependencies", Some("index"), "Dependencies", PageKind::Dependencies, String::new()));
    pages.push(page("analysis-report", Some("index"), "Analysis report", PageKind::Report, String::new()));
    pages
}

/// A page for each module; beyond `budget` the small ones share pages.
fn module_pages(facts: &Facts, budget: usize) -> Vec<NewPage> {
    let totals = facts.totals_by_module();
    let mut modules: Vec<&ModuleRow> = facts.modules.iter().collect();
    modules.sort_by(|left, right| (&left.path, &left.slug).cmp(&(&right.path, &right.slug)));
    let mut shared: Vec<&ModuleRow> = Vec::new();
    if modules.len() > budget {
        let mut by_size = modules.clone();
        let size = |module: &ModuleRow| {
            let sums = totals.get(module.slug.as_str()).copied().unwrap_or_else(Totals::default);
            (sums.exported, sums.files)
        };
        by_size.sort_by(|left, right| size(right).cmp(&size(left)).then_with(|| left.slug.cmp(&right.slug)));
        let own: BTreeSet<&str> =
            by_size.iter().take(budget.saturating_sub(SHARED_PAGES)).map(|module| module.slug.as_str()).collect();
        shared = modules.iter().copied().filter(|module| !own.contains(module.slug.as_str())).collect();
        modules.retain(|module| own.contains(module.slug.as_str()));
    }
    let slugs: BTreeMap<&str, String> =
        modules.iter().map(|module| (module.slug.as_str(), module_page_slug(&module.slug))).collect();
    let mut pages: Vec<NewPage> = modules
        .iter()
        .map(|module| {
            let parent = module.parent.as_deref().and_then(|parent| slugs.get(parent)).map_or("index", String::as_str);
            let slug = &slugs[module.slug.as_str()];
            page(slug, Some(parent), &module_title(module), PageKind::Module, module.slug.clone())
        })
        .collect();
    let group = shared.len().div_ceil(SHARED_PAGES).max(1);
    for (number, group) in (1..).zip(shared.chunks(group)) {
        let subject: Vec<&str> = group.iter().map(|module| module.slug.as_str()).collect();
        let title = format!("Small modules, part {number}");
        pages.push(page(&format!("modules-{number}"), Some("index"), &title, PageKind::Module, subject.join(",")));
    }
    pages
}

fn api_pages(facts: &Facts) -> Vec<NewPage> {
    let total = facts.totals().exported;
    let (usual, most) = API_PAGE;
    let first = |subject: String| page("public-api", Some("index"), "Public API", PageKind::Api, subject);
    if total <= usual {
        return vec![first(format!("0:{usual}"))];
    }
    let limit = total.div_ceil(MAX_PARTS).clamp(usual, most);
    let mut pages = vec![first("contents".to_owned())];
    for number in 1..=total.div_ceil(limit).min(MAX_PARTS) {
        let subject = format!("{}:{limit}", (number - 1) * limit);
        let title = format!("Public API, part {number}");
        pages.push(page(&format!("public-api-{number}"), Some("public-api"), &title, PageKind::Api, subject));
    }
    pages
}

fn index_pages(facts: &Facts) -> Vec<NewPage> {
    let total = facts.totals().symbols;
    let (usual, most) = INDEX_PAGE;
    let first = |subject: String| page("symbols", Some("index"), "Symbol index", PageKind::Symbols, subject);
    if total <= usual {
        return vec![first(format!(":0:{usual}"))];
    }
    let limit = total.div_ceil(MAX_PARTS).clamp(usual, most);
    let mut pages = vec![first("contents".to_owned())];
    for (letter, symbols) in facts.letters() {
        let name = if letter == "_" { "other".to_owned() } else { letter.to_owned() };
        let parts = symbols.div_ceil(limit).min(MAX_PARTS);
        for number in 1..=parts {
            let shown = if letter == "_" { "Other".to_owned() } else { letter.to_uppercase() };
            let (slug, title) = if parts == 1 {
                (format!("symbols-{name}"), format!("Symbols: {shown}"))
            } else {
                (format!("symbols-{name}-{number}"), format!("Symbols: {shown}, part {number}"))
            };
            let subject = format!("{letter}:{}:{limit}", (number - 1) * limit);
            pages.push(page(&slug, Some("symbols"), &title, PageKind::Symbols, subject));
        }
    }
    pages.truncate(MAX_PARTS as usize + 28);
    pages
}

fn page(slug: &str, parent: Option<&str>, title: &str, kind: PageKind, subject: String) -> NewPage {
    NewPage {
        slug: slug.to_owned(),
        parent: parent.map(str::to_owned),
        title: line(title),
        kind: kind.as_str().to_owned(),
        subject,
    }
}

/// A module's slug as the slug of its page: always a good file name, still unique.
fn module_page_slug(slug: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.len() <= MAX_SLUG && slug.chars().all(is_plain) {
        return format!("module-{slug}");
    }
    let head: String = slug.chars().filter(|c| is_plain(*c)).take(60).collect();
    let hash = blake3::hash(slug.as_bytes()).to_hex();
    format!("module-{head}-{}", &hash[..16])
}

fn parse_part(text: &str) -> Part {
    let (offset, limit) = text.split_once(':').unwrap_or((text, "0"));
    Part { offset: offset.parse().unwrap_or(0), limit: limit.parse().unwrap_or(0) }
}

/// The key of a page's message, and of its row.
#[must_use]
pub fn split_key(key: &str) -> Option<(DocumentId, &str)> {
    let (document, slug) = key.split_once('/')?;
    Some((document.parse().ok()?, slug))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use caffeine_store::doc_writer::{ModuleRow, SymbolCountRow};

    use super::{MAX_PAGES, index_subject, module_slugs, structural_pages};
    use crate::facts::{Facts, sample};

    fn with_modules(modules: usize) -> Facts {
        let mut facts = sample::facts();
        facts.modules = (0..modules)
            .map(|number| ModuleRow {
                slug: format!("m-{number:05}"),
                name: format!("m{number}"),
                parent: None,
                path: format!("m/{number}"),
            })
            .collect();
        facts
    }

    fn check(facts: &Facts) {
        let pages = structural_pages(facts);
        assert!(pages.len() <= MAX_PAGES, "{}", pages.len());
        assert_eq!(pages[0].slug, "index");
        let slugs: BTreeSet<&str> = pages.iter().map(|page| page.slug.as_str()).collect();
        assert_eq!(slugs.len(), pages.len(), "unique");
        for page in &pages {
            assert!(
                page.slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{}",
                page.slug
            );
            assert!(page.parent.as_deref().is_none_or(|parent| slugs.contains(parent)), "{page:?}");
        }
        let modules: Vec<&str> =
            pages.iter().filter(|page| page.kind == "module").flat_map(|page| module_slugs(&page.subject)).collect();
        assert_eq!(modules.len(), facts.modules.len(), "every module has exactly one page");
        assert_eq!(modules.iter().collect::<BTreeSet<_>>().len(), facts.modules.len());
    }

    #[test]
    fn every_module_has_a_page_whatever_the_number() {
        for modules in [0, 1, 5, 994, 995, 996, 5_000] {
            check(&with_modules(modules));
        }
    }

    #[test]
    fn long_lists_are_split() {
        for symbols in [1_501, 30_000, 2_000_000] {
            let mut facts = sample::facts();
            facts.counts = ["_", "a", "m", "z"]
                .map(|letter| SymbolCountRow {
                    module: "src".to_owned(),
                    letter: letter.to_owned(),
                    symbols,
                    unnamed: 0,
                    exported: symbols,
                })
                .to_vec();
            check(&facts);
            let pages = structural_pages(&facts);
            assert!(pages.iter().any(|page| page.slug == "public-api-2"));
            assert!(pages.iter().any(|page| page.slug.starts_with("symbols-other")));
        }
    }

    #[test]
    fn odd_module_slugs_give_good_file_names() {
        let mut facts = with_modules(2);
        facts.modules[0].slug = "x".repeat(4_000);
        facts.modules[1].slug = "../Etc Passwd".to_owned();
        check(&facts);
    }

    #[test]
    fn subjects_of_other_versions_are_no_panic() {
        assert_eq!(format!("{:?}", index_subject("a:b:c")), "Part(\"a\", Part { offset: 0, limit: 0 })");
    }
}
