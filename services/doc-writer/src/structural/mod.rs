//! Pages written from the analysis alone: pure functions from facts to Markdown. The same rows give the same bytes.
//!
//! Every statement about the code carries a citation; what could not be determined is said. Lists are bounded, and a
//! page says what it leaves out.

mod api;
mod dependencies;
mod diagram;
mod figures;
mod groups;
mod members;
mod module;
mod overview;
#[cfg(test)]
mod page_tests;
mod purpose;
mod report;
mod symbols;

use std::collections::BTreeMap;

use caffeine_store::doc_writer::{ModuleRow, PageRow};

use crate::facts::Facts;
use crate::markdown::text;
use crate::plan::{module_title, pages_of_modules};

pub use api::{api_contents, api_part};
pub use dependencies::dependencies;
pub use module::{MAX_API, MAX_FILES, ModuleInput, module, small_modules};
pub use overview::{MAX_START_HERE, OverviewInput, overview};
pub use report::report;
pub use symbols::{symbol_contents, symbol_part};

/// The pages of the document, and which of them shows a module.
#[derive(Debug, Clone)]
pub struct Links<'pages> {
    /// In order.
    pub pages: &'pages [PageRow],
    by_module: BTreeMap<&'pages str, &'pages str>,
}

impl<'pages> Links<'pages> {
    /// Links between these pages.
    #[must_use]
    pub fn new(pages: &'pages [PageRow]) -> Self {
        Self { pages, by_module: pages_of_modules(pages) }
    }

    /// A link to a module's page; its name alone if it has none.
    fn module(&self, facts: &Facts, slug: &str) -> String {
        let name = facts.module(slug).map_or_else(|| slug.to_owned(), module_title);
        match self.by_module.get(slug) {
            Some(page) => format!("[{}]({page}.md)", text(&name)),
            None => text(&name),
        }
    }

    /// A link to the page of a directory; its name alone if it is no module.
    fn directory(&self, facts: &Facts, path: &str) -> String {
        let module = facts.modules.iter().find(|module| module.path == path);
        module.map_or_else(|| text(&groups::title(path)), |module| self.module(facts, &module.slug))
    }

    /// A link to a page of the plan.
    fn page(page: &PageRow) -> String {
        format!("[{}]({}.md)", text(&page.title), page.slug)
    }

    fn children(&self, parent: &str) -> impl Iterator<Item = &'pages PageRow> {
        self.pages.iter().filter(move |page| page.parent.as_deref() == Some(parent))
    }
}

/// The modules in the order of their directories.
fn modules_by_path(facts: &Facts) -> Vec<&ModuleRow> {
    let mut modules: Vec<&ModuleRow> = facts.modules.iter().collect();
    modules.sort_by(|left, right| (&left.path, &left.slug).cmp(&(&right.path, &right.slug)));
    modules
}

/// `1 file`, `2 files`.
fn counted(number: u32, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(number)) }
}

/// A number with commas.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{counted, thousands};

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"].map(str::to_owned));
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(2_000, "file"), "2,000 files");
    }
}
