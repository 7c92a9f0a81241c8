//! A module: a directory with its files, its public interface and its neighbours.

use caffeine_store::doc_writer::{FileRow, ModuleEdgeRow, ModuleRow, SymbolRow};

use super::overview::directory_title;
use super::{Links, api, counted, diagram, members, purpose, thousands};
use crate::facts::Facts;
use crate::markdown::{Sheet, Written, code, prose, text};
use crate::plan::module_title;

/// Files listed on a module's page.
pub const MAX_FILES: usize = 500;
/// Symbols of the public interface on a module's page.
pub const MAX_API: usize = 200;
/// Neighbours in each direction.
const MAX_NEIGHBOURS: usize = 100;
/// Neighbours drawn in each direction.
const MAX_DRAWN: usize = 7;
/// External packages.
const MAX_PACKAGES: usize = 100;
/// Files of each module on a page of small modules.
const MAX_SMALL_FILES: usize = 20;

/// What the page is written from.
#[derive(Debug, Clone)]
pub struct ModuleInput<'rows> {
    /// The snapshot.
    pub facts: &'rows Facts,
    /// The document's pages.
    pub links: &'rows Links<'rows>,
    /// Path and text of the directory's readme.
    pub readme: Option<&'rows (String, String)>,
    /// The documentation of its files, if they have any.
    pub file_docs: &'rows [SymbolRow],
    /// Its public interface; one more than [`MAX_API`] if there is more.
    pub api: &'rows [SymbolRow],
    /// Variants and fields of the types among it.
    pub members: &'rows [SymbolRow],
}

/// Writes the page of one module.
#[must_use]
pub fn module(module: &ModuleRow, input: &ModuleInput<'_>) -> Written {
    let facts = input.facts;
    let mut sheet = Sheet::new(facts, &directory_title(module));
    if let Some(parent) = &module.parent {
        sheet.paragraph(&format!("Part of {}.", input.links.module(facts, parent)));
    }
    let files = facts.files_of(&module.slug);
    let mut docs: Vec<SymbolRow> = input.file_docs.to_vec();
    // The most important file speaks for the directory, unless one is its root by name.
    docs.sort_by_key(|doc| {
        let place = files.iter().position(|file| file.path == doc.path).unwrap_or(usize::MAX);
        (!is_root_file(&doc.path), place)
    });
    sheet.heading(2, "Purpose");
    purpose::write_purpose(&mut sheet, input.readme, &docs, input.api);
    write_files(&mut sheet, &files, &docs);
    write_api(&mut sheet, input);
    write_neighbours(&mut sheet, module, input);
    write_packages(&mut sheet, facts, &module.slug);
    write_tests(&mut sheet, &files);
    sheet.finish()
}

/// Writes a page that several small modules share.
#[must_use]
pub fn small_modules(title: &str, modules: &[&ModuleRow], facts: &Facts, links: &Links<'_>) -> Written {
    let mut sheet = Sheet::new(facts, title);
    sheet.paragraph(
        "A document has at most 1,000 pages, so these small modules share this one. Their symbols are in the public API \
         and in the symbol index.",
    );
    for module in modules {
        let files = facts.files_of(&module.slug);
        sheet.heading(2, &text(&module_title(module)));
        let shown = files.len().min(MAX_SMALL_FILES);
        let items: Vec<String> = files.iter().take(shown).map(|file| file_item(&mut sheet, file)).collect();
        sheet.list(&items);
        let left_out = u32::try_from(files.len() - shown).unwrap_or(u32::MAX);
        if left_out > 0 {
            sheet.paragraph(&format!("{} more.", counted(left_out, "file")));
        }
        let uses: Vec<String> =
            outgoing(facts, &module.slug).into_iter().take(10).map(|edge| links.module(facts, &edge.dst)).collect();
        if !uses.is_empty() {
            sheet.paragraph(&format!("Depends on {}.", uses.join(", ")));
        }
    }
    sheet.finish()
}

fn is_root_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name,
        "lib.rs" | "mod.rs" | "main.rs" | "__init__.py" | "index.ts" | "index.js" | "doc.go" | "package-info.java"
    )
}

fn file_item(sheet: &mut Sheet<'_>, file: &FileRow) -> String {
    if file.has_text && file.lines > 0 {
        return format!("{} {}", sheet.cite(&file.path, 1, file.lines), counted(file.lines, "line"));
    }
    let why = file.clone_skip.as_deref().or(file.skip.as_deref()).unwrap_or("not analysed");
    format!("{} ({})", code(&file.path), text(&why.replace('_', " ")))
}

fn write_files(sheet: &mut Sheet<'_>, files: &[&FileRow], docs: &[SymbolRow]) {
    if files.is_empty() {
        return;
    }
    sheet.heading(2, "Files");
    sheet.paragraph("The most important first: those that most others depend on.");
    let rows: Vec<Vec<String>> = files
        .iter()
        .take(MAX_FILES)
        .map(|file| {
            let doc = docs.iter().find(|doc| doc.path == file.path && purpose::is_file_doc(doc));
            let what = match (doc, &file.clone_skip, &file.skip) {
                (Some(doc), ..) => prose(&doc.doc),
                (None, Some(skip), _) | (None, None, Some(skip)) => {
                    format!("skipped: {}", text(&skip.replace('_', " ")))
                }
                _ => String::new(),
            };
            vec![
                sheet.cite(&file.path, 1, file.lines),
                text(file.language.as_deref().unwrap_or("")),
                text(file.category.as_deref().unwrap_or("")),
                thousands(file.lines),
                what,
            ]
        })
        .collect();
    sheet.table(&["File", "Language", "Category", "Lines:", "What it says about itself"], &rows);
    let left_out = u32::try_from(files.len().saturating_sub(MAX_FILES)).unwrap_or(u32::MAX);
    if left_out > 0 {
        sheet.paragraph(&format!("{} more.", counted(left_out, "file")));
    }
}

fn write_api(sheet: &mut Sheet<'_>, input: &ModuleInput<'_>) {
    sheet.heading(2, "Public API");
    if input.api.is_empty() {
        sheet.paragraph("Nothing in this directory can be reached from other files, as far as the analysis sees.");
        return;
    }
    let shown = input.api.get(..MAX_API).unwrap_or(input.api);
    api::write_symbols(sheet, shown, &members::by_type(input.members));
    if input.api.len() > MAX_API {
        sheet.paragraph("There is more: see the [public API](public-api.md) of the whole repository.");
    }
}

fn outgoing<'facts>(facts: &'facts Facts, slug: &str) -> Vec<&'facts ModuleEdgeRow> {
    heaviest(facts.edges.iter().filter(|edge| edge.src == slug).collect())
}

fn incoming<'facts>(facts: &'facts Facts, slug: &str) -> Vec<&'facts ModuleEdgeRow> {
    heaviest(facts.edges.iter().filter(|edge| edge.dst == slug).collect())
}

fn heaviest(mut edges: Vec<&ModuleEdgeRow>) -> Vec<&ModuleEdgeRow> {
    edges.sort_by(|left, right| {
        right.weight.cmp(&left.weight).then_with(|| (&left.src, &left.dst).cmp(&(&right.src, &right.dst)))
    });
    edges
}

fn write_neighbours(sheet: &mut Sheet<'_>, module: &ModuleRow, input: &ModuleInput<'_>) {
    let facts = input.facts;
    let (uses, used_by) = (outgoing(facts, &module.slug), incoming(facts, &module.slug));
    sheet.heading(2, "Dependencies");
    if uses.is_empty() && used_by.is_empty() {
        sheet.paragraph("No import or call between this module and another one could be resolved.");
        return;
    }
    let name = |slug: &str| facts.module(slug).map_or_else(|| slug.to_owned(), module_title);
    let strongest = uses.iter().take(MAX_DRAWN).chain(used_by.iter().take(MAX_DRAWN));
    let drawn: Vec<(String, String)> = strongest.map(|edge| (name(&edge.src), name(&edge.dst))).collect();
    diagram::flowchart(sheet, &drawn, Some(&module_title(module)));
    let mut rows = Vec::new();
    for edge in uses.iter().take(MAX_NEIGHBOURS) {
        rows.push(vec!["depends on".to_owned(), input.links.module(facts, &edge.dst), thousands(edge.weight)]);
    }
    for edge in used_by.iter().take(MAX_NEIGHBOURS) {
        rows.push(vec!["used by".to_owned(), input.links.module(facts, &edge.src), thousands(edge.weight)]);
    }
    sheet.table(&["Relation", "Module", "Resolved uses:"], &rows);
    let left_out = uses.len().saturating_sub(MAX_NEIGHBOURS) + used_by.len().saturating_sub(MAX_NEIGHBOURS);
    if left_out > 0 {
        sheet.paragraph(&format!("{left_out} weaker relations are not listed."));
    }
}

fn write_packages(sheet: &mut Sheet<'_>, facts: &Facts, slug: &str) {
    let mut packages: Vec<_> = facts.packages.iter().filter(|row| row.module == slug).collect();
    if packages.is_empty() {
        return;
    }
    packages.sort_by(|left, right| right.imports.cmp(&left.imports).then_with(|| left.package.cmp(&right.package)));
    sheet.heading(2, "External packages");
    let rows: Vec<Vec<String>> = packages
        .iter()
        .take(MAX_PACKAGES)
        .map(|row| vec![code(&row.package), thousands(row.files), thousands(row.imports)])
        .collect();
    sheet.table(&["Package", "Files:", "Imports:"], &rows);
    if packages.len() > MAX_PACKAGES {
        sheet.paragraph("The others are on the page of [dependencies](dependencies.md).");
    }
}

fn write_tests(sheet: &mut Sheet<'_>, files: &[&FileRow]) {
    let tests: Vec<_> = files.iter().filter(|file| file.category.as_deref() == Some("test")).collect();
    if tests.is_empty() {
        return;
    }
    sheet.heading(2, "Tests in this directory");
    let items: Vec<String> = tests.iter().take(MAX_SMALL_FILES).map(|file| file_item(sheet, file)).collect();
    sheet.list(&items);
    let left_out = u32::try_from(tests.len().saturating_sub(MAX_SMALL_FILES)).unwrap_or(u32::MAX);
    if left_out > 0 {
        sheet.paragraph(&format!("{} more.", counted(left_out, "file")));
    }
}
