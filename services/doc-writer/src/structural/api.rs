//! The public interface: what other files can reach, by module, with its signature and its documentation.

use caffeine_store::doc_writer::SymbolRow;

use super::{Links, counted, modules_by_path, thousands};
use crate::facts::Facts;
use crate::markdown::{Sheet, Written, code, fence, text};
use crate::plan::{ApiSubject, Part, api_subject};

/// Writes a part of the interface.
#[must_use]
pub fn api_part(title: &str, facts: &Facts, links: &Links<'_>, symbols: &[SymbolRow], part: Part) -> Written {
    let mut sheet = Sheet::new(facts, title);
    let total = facts.totals().exported;
    if symbols.is_empty() {
        sheet.paragraph("No file of the program declares anything that others can reach, as far as the analysis sees.");
        return sheet.finish();
    }
    let last = part.offset.saturating_add(u32::try_from(symbols.len()).unwrap_or(u32::MAX));
    sheet.paragraph(&format!(
        "Symbols {} to {} of {}, by module. Tests, generated and vendored files are left out; fields and variants belong \
         to their type.",
        thousands(part.offset + 1),
        thousands(last),
        thousands(total)
    ));
    let mut module: Option<&str> = None;
    for symbol in symbols {
        if module != Some(symbol.module.as_str()) {
            module = Some(&symbol.module);
            sheet.heading(2, &links.module(facts, &symbol.module));
        }
        write_symbol(&mut sheet, symbol, 3);
    }
    sheet.finish()
}

/// Writes the contents of an interface that is split into parts.
#[must_use]
pub fn api_contents(title: &str, facts: &Facts, links: &Links<'_>) -> Written {
    let mut sheet = Sheet::new(facts, title);
    let total = facts.totals().exported;
    sheet.paragraph(&format!("{} that other files can reach, by module.", counted(total, "symbol")));
    let parts: Vec<String> = links.children("public-api").map(Links::page).collect();
    sheet.list(&parts);
    let listed: u32 = links
        .children("public-api")
        .map(|page| match api_subject(&page.subject) {
            ApiSubject::Part(part) => part.limit,
            ApiSubject::Contents => 0,
        })
        .sum();
    if listed < total {
        sheet.paragraph(&format!("{} beyond that are not listed.", counted(total - listed, "symbol")));
    }
    let totals = facts.totals_by_module();
    let rows: Vec<Vec<String>> = modules_by_path(facts)
        .into_iter()
        .filter_map(|module| {
            let exported = totals.get(module.slug.as_str()).map_or(0, |sums| sums.exported);
            (exported > 0).then(|| vec![links.module(facts, &module.slug), thousands(exported)])
        })
        .collect();
    sheet.heading(2, "By module");
    sheet.table(&["Module", "Public symbols:"], &rows);
    sheet.finish()
}

/// A symbol with a heading, its signature, its documentation and where it is.
pub(super) fn write_symbol(sheet: &mut Sheet<'_>, symbol: &SymbolRow, level: usize) {
    let kind = symbol.kind.replace('_', " ");
    sheet.heading(level, &format!("{} ({})", code(&symbol.qualified), text(&kind)));
    if !symbol.signature.is_empty() {
        sheet.block(&fence(&symbol.language, &symbol.signature));
    }
    let citation = sheet.cite(&symbol.path, symbol.start_line, symbol.end_line);
    if symbol.doc.is_empty() {
        sheet.paragraph(&format!("Not documented. {citation}"));
    } else {
        sheet.paragraph(&format!("{} {citation}", text(&symbol.doc)));
    }
}
