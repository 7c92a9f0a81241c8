//! What is known about one run's snapshot as a whole: the typed model that pages are written from.

mod entry_points;
mod load;
#[cfg(any(test, fuzzing))]
pub(crate) mod sample;

use std::collections::BTreeMap;

use caffeine_analysis::Manifest;
use caffeine_store::doc_writer::{FileRow, ModuleEdgeRow, ModulePackageRow, ModuleRow, RunRow, SymbolCountRow};

pub use entry_points::Offered;
pub use load::{Material, load_facts, readme};

/// Everything but the symbols, which are read page by page. Every list has the order of its doc comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The commit, and how the run went.
    pub run: RunRow,
    /// By path.
    pub files: Vec<FileRow>,
    /// By slug.
    pub modules: Vec<ModuleRow>,
    /// By source and destination.
    pub edges: Vec<ModuleEdgeRow>,
    /// By module and package.
    pub packages: Vec<ModulePackageRow>,
    /// By module and letter.
    pub counts: Vec<SymbolCountRow>,
}

/// Sums over a module or the whole snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files, skipped ones included.
    pub files: u32,
    /// Lines.
    pub lines: u32,
    /// Lines that are neither blank nor only a comment.
    pub source_lines: u32,
    /// Symbols with a name.
    pub symbols: u32,
    /// Symbols without a name of the program: headings, `impl` blocks.
    pub unnamed: u32,
    /// Symbols that other files can reach.
    pub exported: u32,
}

impl Facts {
    /// Whether there is a commit at all: a repository that nobody has pushed to has none, and its run is pinned to
    /// zeros.
    #[must_use]
    pub fn has_commit(&self) -> bool {
        self.run.commit.as_bytes().iter().any(|byte| *byte != 0)
    }

    /// A file of the snapshot.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileRow> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// A module of the snapshot.
    #[must_use]
    pub fn module(&self, slug: &str) -> Option<&ModuleRow> {
        let at = self.modules.binary_search_by(|module| module.slug.as_str().cmp(slug)).ok()?;
        self.modules.get(at)
    }

    /// The files of a module, most important first.
    #[must_use]
    pub fn files_of(&self, module: &str) -> Vec<&FileRow> {
        let mut files: Vec<_> = self.files.iter().filter(|file| file.module.as_deref() == Some(module)).collect();
        by_rank(&mut files);
        files
    }

    /// The files of the program itself (no tests, documents or settings) that have text, most important first.
    #[must_use]
    pub fn source_files(&self) -> Vec<&FileRow> {
        let mut files: Vec<_> = self.files.iter().filter(|file| is_source(file) && file.has_text).collect();
        by_rank(&mut files);
        files
    }

    /// The package manifests, those closest to the top first.
    #[must_use]
    pub fn manifests(&self) -> Vec<(&FileRow, Manifest)> {
        let mut manifests: Vec<_> = self
            .files
            .iter()
            .filter_map(|file| {
                let manifest = serde_json::from_value(file.manifest.clone()?).ok()?;
                Some((file, manifest))
            })
            .collect();
        manifests.sort_by_key(|(file, _)| file.path.matches('/').count());
        manifests
    }

    /// Sums by module slug.
    #[must_use]
    pub fn totals_by_module(&self) -> BTreeMap<&str, Totals> {
        let mut totals: BTreeMap<&str, Totals> = BTreeMap::new();
        for file in &self.files {
            if let Some(module) = &file.module {
                totals.entry(module).or_default().add_file(file);
            }
        }
        for row in &self.counts {
            totals.entry(&row.module).or_default().add_symbols(row);
        }
        totals
    }

    /// Sums over everything.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.files.iter().for_each(|file| totals.add_file(file));
        self.counts.iter().for_each(|row| totals.add_symbols(row));
        totals
    }

    /// The modules whose public interface holds the rows from `offset` on of the whole list, and how many rows of the
    /// first of them come before. The list is in order of module.
    #[must_use]
    pub fn modules_of_api(&self, offset: u32, limit: u32) -> (Vec<String>, u32) {
        let end = offset.saturating_add(limit);
        let (mut before, mut first, mut modules) = (0_u32, 0, Vec::new());
        for (module, totals) in self.totals_by_module() {
            let after = before.saturating_add(totals.exported);
            if before < end && after > offset {
                if modules.is_empty() {
                    first = offset.saturating_sub(before);
                }
                modules.push(module.to_owned());
            }
            before = after;
        }
        (modules, first)
    }

    /// Symbols by first letter.
    #[must_use]
    pub fn letters(&self) -> BTreeMap<&str, u32> {
        let mut letters = BTreeMap::new();
        for row in self.counts.iter().filter(|row| row.symbols > 0) {
            let sum: &mut u32 = letters.entry(row.letter.as_str()).or_default();
            *sum = sum.saturating_add(row.symbols);
        }
        letters
    }

    /// Symbols of a letter; of all, if it is empty.
    #[must_use]
    pub fn symbols_of(&self, letter: &str) -> u32 {
        if letter.is_empty() { self.totals().symbols } else { self.letters().get(letter).copied().unwrap_or(0) }
    }

    /// Symbols that the index has before a letter.
    #[must_use]
    pub fn symbols_before(&self, letter: &str) -> u32 {
        let before = self.letters().into_iter().filter(|(other, _)| *other < letter);
        before.fold(0, |sum, (_, symbols)| sum.saturating_add(symbols))
    }

    /// The language with the most source lines in the program itself; empty if there is none.
    #[must_use]
    pub fn main_language(&self) -> &str {
        let mut languages: BTreeMap<&str, u64> = BTreeMap::new();
        for file in self.files.iter().filter(|file| is_source(file)) {
            *languages.entry(file.language.as_deref().unwrap_or_default()).or_default() += u64::from(file.source_lines);
        }
        languages.into_iter().rev().max_by_key(|(_, lines)| *lines).map_or("", |(language, _)| language)
    }
}

impl Totals {
    /// Everything that the analysis calls a symbol.
    #[must_use]
    pub fn declared(&self) -> u32 {
        self.symbols.saturating_add(self.unnamed)
    }

    fn add_file(&mut self, file: &FileRow) {
        self.files = self.files.saturating_add(1);
        self.lines = self.lines.saturating_add(file.lines);
        self.source_lines = self.source_lines.saturating_add(file.source_lines);
    }

    fn add_symbols(&mut self, row: &SymbolCountRow) {
        self.symbols = self.symbols.saturating_add(row.symbols);
        self.unnamed = self.unnamed.saturating_add(row.unnamed);
        self.exported = self.exported.saturating_add(row.exported);
    }
}

/// As the store counts the public interface: examples show the program, they are no part of it.
fn is_source(file: &FileRow) -> bool {
    file.category.as_deref() == Some("source") && !is_example(&file.path)
}

fn is_example(path: &str) -> bool {
    path.starts_with("examples/") || path.contains("/examples/")
}

fn by_rank(files: &mut [&FileRow]) {
    files.sort_by(|left, right| right.rank.total_cmp(&left.rank).then_with(|| left.path.cmp(&right.path)));
}
