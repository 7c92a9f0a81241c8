//! The figures of a snapshot, counted once: every page that names one takes it from here.

use caffeine_store::doc_writer::FileRow;

use super::{counted, thousands};
use crate::facts::Facts;

/// What became of the files of the snapshot; every file is in one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Their content was read.
    pub analysed: u32,
    /// Without content, so that nothing is missing.
    pub empty: u32,
    /// Not read, by the cloner's or the analysis's rules, or because their batch failed.
    pub skipped: u32,
}

impl Files {
    pub(super) fn of(facts: &Facts) -> Self {
        let mut files = Self::default();
        for file in &facts.files {
            let group = match skip_of(file) {
                None => &mut files.analysed,
                Some("empty") => &mut files.empty,
                Some(_) => &mut files.skipped,
            };
            *group = group.saturating_add(1);
        }
        files
    }
}

/// Why nothing of the file is known; `None` if it was analysed.
pub(super) fn skip_of(file: &FileRow) -> Option<&str> {
    file.clone_skip.as_deref().or(file.skip.as_deref()).or_else(|| file.language.is_none().then_some("not_analysed"))
}

/// Name and value of each figure, each with what it counts.
pub(super) fn rows(facts: &Facts) -> Vec<Vec<String>> {
    let (totals, files) = (facts.totals(), Files::of(facts));
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut of_files = format!("{}: {} analysed", thousands(totals.files), thousands(files.analysed));
    if files.skipped > 0 {
        of_files.push_str(&format!(", {} skipped", thousands(files.skipped)));
    }
    if files.empty > 0 {
        of_files.push_str(&format!(", {} empty", thousands(files.empty)));
    }
    let mut symbols = format!("{}: {}", thousands(totals.declared()), counted(totals.symbols, "name"));
    if totals.unnamed > 0 {
        symbols.push_str(&format!(
            ", {} without a name of their own (headings, `impl` blocks)",
            thousands(totals.unnamed)
        ));
    }
    vec![
        row("Files", of_files),
        row(
            "Lines",
            format!(
                "{}, {} of them neither blank nor only a comment",
                thousands(totals.lines),
                thousands(totals.source_lines)
            ),
        ),
        row("Modules (directories with files)", thousands(u32::try_from(facts.modules.len()).unwrap_or(u32::MAX))),
        row("Symbols", symbols),
        row("Public API (names of the program itself that other files can reach)", thousands(totals.exported)),
    ]
}
