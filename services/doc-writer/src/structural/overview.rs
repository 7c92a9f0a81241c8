//! The first page: what this is, how large it is, where to begin.

use std::collections::BTreeMap;

use caffeine_analysis::EntryPointKind;
use caffeine_store::doc_writer::SymbolRow;

use super::groups::{self, Groups};
use super::{Links, counted, diagram, figures, modules_by_path, purpose, thousands};
use crate::facts::{Facts, Offered};
use crate::markdown::{Sheet, Written, code, prose, text};
use crate::plan::module_title;

/// Files shown under "start here".
pub const MAX_START_HERE: usize = 10;
/// Names shown for each of them.
const MAX_NAMES: usize = 5;
/// Rows of the list of modules.
const MAX_MODULES: usize = 300;
/// Rows of the table beside the diagram.
const MAX_RELATIONS: usize = 120;
/// Rows of the list of entry points.
const MAX_ENTRY_POINTS: usize = 100;
/// Packages that are introduced.
const MAX_PACKAGES: usize = 50;

/// What the page is written from.
#[derive(Debug, Clone)]
pub struct OverviewInput<'rows> {
    /// The snapshot.
    pub facts: &'rows Facts,
    /// The document's pages.
    pub links: &'rows Links<'rows>,
    /// What the reader should know about the document.
    pub notice: Option<&'rows str>,
    /// Path and text of the top directory's readme.
    pub readme: Option<&'rows (String, String)>,
    /// What the most important files declare.
    pub symbols: &'rows [SymbolRow],
}

/// Writes the page.
#[must_use]
pub fn overview(input: &OverviewInput<'_>) -> Written {
    let facts = input.facts;
    let named = name_of(input);
    let mut sheet = Sheet::new(facts, named.as_ref().map_or(&facts.run.repository, |(name, ..)| name));
    if let Some(notice) = input.notice {
        sheet.paragraph(&format!("> **Notice:** {}", text(notice)));
    }
    if facts.files.is_empty() && !facts.run.truncated {
        nothing(&mut sheet, input);
        return sheet.finish();
    }
    let mut unknown = Vec::new();
    describe(&mut sheet, input, &mut unknown);
    at_a_glance(&mut sheet, facts, named);
    languages(&mut sheet, facts);
    start_here(&mut sheet, input, &mut unknown);
    entry_points(&mut sheet, facts, &mut unknown);
    modules(&mut sheet, input);
    relations(&mut sheet, input, &mut unknown);
    other_pages(&mut sheet, input.links);
    limits(&mut sheet, facts, unknown);
    sheet.finish()
}

/// What the project calls itself, and the line that says so: its readme's heading, else the name of the package at the
/// top.
fn name_of(input: &OverviewInput<'_>) -> Option<(String, String, u32)> {
    let readme = input
        .readme
        .and_then(|(path, content)| purpose::readme_name(path, content).map(|(name, line)| (name, path.clone(), line)));
    readme.or_else(|| {
        let manifests = input.facts.manifests();
        manifests
            .into_iter()
            .filter(|(file, _)| !file.path.contains('/'))
            .find_map(|(file, manifest)| Some((manifest.name?, file.path.clone(), manifest.name_line.unwrap_or(1))))
    })
}

/// Instead of everything else, where there is nothing to describe.
fn nothing(sheet: &mut Sheet<'_>, input: &OverviewInput<'_>) {
    let facts = input.facts;
    let why = if facts.has_commit() { "its commit has no files" } else { "nothing has been pushed to it yet" };
    sheet.paragraph(&format!("The repository is empty: {why}. Start a new run when there is something to document."));
    if facts.has_commit() {
        at_a_glance(sheet, facts, None);
    }
    other_pages(sheet, input.links);
}

fn describe(sheet: &mut Sheet<'_>, input: &OverviewInput<'_>, unknown: &mut Vec<String>) {
    let mut manifests = input.facts.manifests();
    // Stable: packages of tests come last.
    manifests.sort_by_key(|(file, _)| file.category.as_deref() == Some("test"));
    let described: Vec<String> = manifests
        .iter()
        .filter_map(|(file, manifest)| {
            let name = manifest.name.as_deref()?;
            let line = manifest.name_line.unwrap_or(1);
            let mut item = format!("**{}**", text(name));
            if let Some(version) = &manifest.version {
                item.push_str(&format!(" {}", text(version)));
            }
            if let Some(description) = &manifest.description {
                item.push_str(&format!(": {}", prose(description)));
            }
            if let Some(licence) = &manifest.licence {
                item.push_str(&format!(" (licence {})", text(licence)));
            }
            Some(format!("{item} {}", sheet.cite(&file.path, line, line)))
        })
        .take(MAX_PACKAGES)
        .collect();
    let quoted = input.readme.and_then(|(path, content)| {
        purpose::first_paragraph(path, content).map(|(words, first, last)| (path, words, first, last))
    });
    if let Some((path, words, first, last)) = quoted {
        let citation = sheet.cite(path, first, last);
        sheet.paragraph(&format!("> {}\n>\n> From the readme: {citation}", prose(&words)));
    } else {
        unknown.push(
            "What the project is for, in its authors' words: the top directory has no readme with prose.".to_owned(),
        );
    }
    if described.is_empty() {
        unknown.push("Name, version and licence: no package manifest declares them.".to_owned());
    } else {
        sheet.heading(2, "Packages");
        sheet.list(&described);
    }
}

fn at_a_glance(sheet: &mut Sheet<'_>, facts: &Facts, named: Option<(String, String, u32)>) {
    let run = &facts.run;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    sheet.heading(2, "At a glance");
    let mut rows = Vec::new();
    if let Some((name, path, line)) = named {
        rows.push(row("Name", format!("{} {}", text(&name), sheet.cite(&path, line, line))));
    }
    rows.extend([
        row("Repository", code(&run.repository)),
        row("Commit", code(&run.commit.to_string())),
        row("Committed", run.committed_at.format("%Y-%m-%d %H:%M UTC").to_string()),
    ]);
    if !run.reference.is_empty() {
        rows.push(row("Branch or tag", code(&run.reference)));
    }
    rows.extend(figures::rows(facts));
    sheet.table(&["Fact", "Value"], &rows);
}

fn languages(sheet: &mut Sheet<'_>, facts: &Facts) {
    let mut languages: BTreeMap<&str, (u32, u64)> = BTreeMap::new();
    for file in facts.files.iter().filter(|file| file.source_lines > 0) {
        let entry = languages.entry(file.language.as_deref().unwrap_or("unknown")).or_default();
        entry.0 += 1;
        entry.1 += u64::from(file.source_lines);
    }
    let total: u64 = languages.values().map(|(_, lines)| *lines).sum();
    let mut rows: Vec<(&str, (u32, u64))> = languages.into_iter().collect();
    rows.sort_by(|left, right| right.1.1.cmp(&left.1.1).then_with(|| left.0.cmp(right.0)));
    let cells: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(language, (files, lines))| {
            let permille = lines.saturating_mul(1_000).checked_div(total).unwrap_or(0);
            let shown = u32::try_from(lines).unwrap_or(u32::MAX);
            vec![text(language), thousands(files), thousands(shown), format!("{}.{} %", permille / 10, permille % 10)]
        })
        .collect();
    if !cells.is_empty() {
        sheet.heading(2, "Languages");
        sheet.table(&["Language", "Files:", "Source lines:", "Share:"], &cells);
    }
}

fn start_here(sheet: &mut Sheet<'_>, input: &OverviewInput<'_>, unknown: &mut Vec<String>) {
    let top: Vec<_> = input.facts.source_files().into_iter().take(MAX_START_HERE).collect();
    if top.is_empty() {
        unknown.push("Where to begin: no file of the snapshot is program text.".to_owned());
        return;
    }
    sheet.heading(2, "Start here");
    sheet.paragraph("The files of the program that most others depend on, directly or not.");
    let items: Vec<String> = top
        .into_iter()
        .map(|file| {
            let mut item = sheet.cite(&file.path, 1, file.lines);
            if let Some(module) = &file.module {
                item.push_str(&format!(" in {}", input.links.module(input.facts, module)));
            }
            let of_file = || input.symbols.iter().filter(|symbol| symbol.path == file.path);
            if let Some(doc) = of_file().find(|symbol| purpose::is_file_doc(symbol)) {
                item.push_str(&format!(": {}", prose(&doc.doc)));
            }
            let names: Vec<String> = of_file()
                .filter(|symbol| !purpose::is_file_doc(symbol))
                .take(MAX_NAMES)
                .map(|symbol| {
                    format!("{} {}", code(&symbol.name), sheet.cite(&symbol.path, symbol.start_line, symbol.end_line))
                })
                .collect();
            if !names.is_empty() {
                item.push_str(&format!("\n  - defines {}", names.join(", ")));
            }
            item
        })
        .collect();
    sheet.list(&items);
}

fn entry_points(sheet: &mut Sheet<'_>, facts: &Facts, unknown: &mut Vec<String>) {
    let (auxiliary, offered): (Vec<_>, Vec<_>) = facts.entry_points().into_iter().partition(|entry| entry.is_auxiliary);
    if offered.is_empty() {
        unknown.push(
            "Programs and libraries it offers: no manifest declares any, and no Cargo package has one by its layout."
                .to_owned(),
        );
    }
    let (programs, others): (Vec<_>, Vec<_>) = offered.into_iter().partition(|it| it.kind == EntryPointKind::Binary);
    let (scripts, libraries): (Vec<_>, Vec<_>) = others.into_iter().partition(|it| it.kind == EntryPointKind::Script);
    let groups = [
        ("Entry points", "What a user or operator starts.", programs),
        ("Libraries", "What other programs import.", libraries),
        ("Scripts", "What manifests name for those who work on it or run it.", scripts),
        ("For tests, benchmarks and examples", "Offered by manifests, but no part of the program.", auxiliary),
    ];
    for (title, what, entries) in groups.into_iter().filter(|(.., entries)| !entries.is_empty()) {
        sheet.heading(2, title);
        sheet.paragraph(what);
        let row = |entry: &Offered| {
            let (first, last) = entry.lines;
            let citation = sheet.cite(&entry.path, first, last);
            vec![code(&entry.name), entry.kind.as_str().to_owned(), code(&entry.target), citation]
        };
        let rows: Vec<Vec<String>> = entries.iter().take(MAX_ENTRY_POINTS).map(row).collect();
        sheet.table(&["Name", "Kind", "Target", "Where"], &rows);
        let left_out = u32::try_from(entries.len().saturating_sub(MAX_ENTRY_POINTS)).unwrap_or(u32::MAX);
        if left_out > 0 {
            sheet.paragraph(&format!("{} more are not listed.", thousands(left_out)));
        }
    }
}

fn modules(sheet: &mut Sheet<'_>, input: &OverviewInput<'_>) {
    let facts = input.facts;
    if facts.modules.is_empty() {
        return;
    }
    let totals = facts.totals_by_module();
    sheet.heading(2, "Modules");
    let rows: Vec<Vec<String>> = modules_by_path(facts)
        .into_iter()
        .take(MAX_MODULES)
        .map(|module| {
            let sums = totals.get(module.slug.as_str()).copied().unwrap_or_default();
            vec![
                input.links.module(facts, &module.slug),
                thousands(sums.files),
                thousands(sums.source_lines),
                thousands(sums.exported),
            ]
        })
        .collect();
    sheet.table(&["Module", "Files:", "Source lines:", "Public symbols:"], &rows);
    let left_out = facts.modules.len().saturating_sub(MAX_MODULES);
    if left_out > 0 {
        let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        sheet.paragraph(&format!("{} more have pages of their own or share one.", counted(left_out, "module")));
    }
}

fn relations(sheet: &mut Sheet<'_>, input: &OverviewInput<'_>, unknown: &mut Vec<String>) {
    let facts = input.facts;
    let groups = Groups::of(facts);
    if groups.relations.is_empty() {
        if facts.modules.len() > 1 {
            unknown.push(
                "How the parts of the program depend on each other: no import or call between their directories could \
                 be resolved."
                    .to_owned(),
            );
        }
        return;
    }
    let (title, what) = if groups.are_packages {
        ("How the packages depend on each other", "packages")
    } else {
        ("How the directories depend on each other", "directories")
    };
    sheet.heading(2, title);
    let named: Vec<(String, String)> =
        groups.relations.iter().map(|it| (groups::title(&it.src), groups::title(&it.dst))).collect();
    let not_drawn = diagram::flowchart(sheet, &named, None);
    let taking_part = groups::nodes(&groups.relations);
    let mut about = format!(
        "{} use each other, by imports and calls that could be resolved; tests are left out.",
        format_args!("{taking_part} {what}")
    );
    if not_drawn > 0 {
        about.push_str(&format!(" {not_drawn} weaker relations are not drawn."));
    }
    sheet.paragraph(&about);
    let rows: Vec<Vec<String>> = groups
        .relations
        .iter()
        .take(MAX_RELATIONS)
        .map(|it| {
            vec![input.links.directory(facts, &it.src), input.links.directory(facts, &it.dst), thousands(it.weight)]
        })
        .collect();
    sheet.table(&["This", "depends on", "Resolved uses:"], &rows);
    let left_out = groups.relations.len().saturating_sub(MAX_RELATIONS);
    if left_out > 0 {
        sheet.paragraph(&format!("{left_out} weaker relations are on the modules' own pages."));
    }
}

fn other_pages(sheet: &mut Sheet<'_>, links: &Links<'_>) {
    let items: Vec<String> = links
        .pages
        .iter()
        .filter(|page| page.kind != "module" && page.slug != "index" && page.parent.as_deref() == Some("index"))
        .map(Links::page)
        .collect();
    if !items.is_empty() {
        sheet.heading(2, "More pages");
        sheet.list(&items);
    }
}

fn limits(sheet: &mut Sheet<'_>, facts: &Facts, mut unknown: Vec<String>) {
    if facts.run.truncated {
        unknown.push("The rest of the repository: its listing stopped at a limit.".to_owned());
    }
    let failed = u32::try_from(facts.run.failed_analysis.len()).unwrap_or(u32::MAX);
    if failed > 0 {
        let batches = if failed == 1 { "1 batch".to_owned() } else { format!("{} batches", thousands(failed)) };
        unknown.push(format!("The content of {batches} of files: see the [analysis report](analysis-report.md)."));
    }
    let skipped = figures::Files::of(facts).skipped;
    if skipped > 0 {
        let files = counted(skipped, "skipped file");
        unknown.push(format!("The content of {files}: the [analysis report](analysis-report.md) says which and why."));
    }
    if !unknown.is_empty() {
        sheet.heading(2, "What could not be determined");
        sheet.list(&unknown);
    }
}

/// Shared by the pages that name a directory in their first line.
pub(super) fn directory_title(module: &caffeine_store::doc_writer::ModuleRow) -> String {
    format!("Module {}", module_title(module))
}
