//! Packages: what manifests declare, and what modules use.

use std::collections::BTreeMap;

use super::{Links, counted, thousands};
use crate::facts::Facts;
use crate::markdown::{Sheet, Written, code, text};

/// Manifests shown.
const MAX_MANIFESTS: usize = 200;
/// Names shown of one manifest.
const MAX_DECLARED: usize = 300;
/// Packages shown.
const MAX_PACKAGES: usize = 1_000;
/// Modules named for one package.
const MAX_USERS: usize = 10;

/// Writes the page.
#[must_use]
pub fn dependencies(title: &str, facts: &Facts, links: &Links<'_>) -> Written {
    let mut sheet = Sheet::new(facts, title);
    declared(&mut sheet, facts);
    used(&mut sheet, facts, links);
    sheet.finish()
}

fn declared(sheet: &mut Sheet<'_>, facts: &Facts) {
    let manifests = facts.manifests();
    sheet.heading(2, "Declared");
    if manifests.is_empty() {
        sheet.paragraph("No package manifest was found, so nothing is declared.");
        return;
    }
    for (file, manifest) in manifests.iter().take(MAX_MANIFESTS) {
        let line = manifest.name_line.unwrap_or(1);
        let name = manifest.name.as_deref().unwrap_or(&file.path);
        let citation = sheet.cite(&file.path, line, line);
        sheet.heading(3, &format!("{} ({})", code(name), text(&manifest.kind.as_str().replace('_', " "))));
        let total = u32::try_from(manifest.dependencies.len()).unwrap_or(u32::MAX);
        if total == 0 {
            sheet.paragraph(&format!("Declares no dependencies. {citation}"));
            continue;
        }
        let names: Vec<String> = manifest.dependencies.iter().take(MAX_DECLARED).map(|name| code(name)).collect();
        let rest = manifest.dependencies.len().saturating_sub(MAX_DECLARED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let noun = if total == 1 { "1 dependency".to_owned() } else { format!("{} dependencies", thousands(total)) };
        sheet.paragraph(&format!("Declares {noun}: {}{more}. {citation}", names.join(", ")));
    }
    let rest = u32::try_from(manifests.len().saturating_sub(MAX_MANIFESTS)).unwrap_or(u32::MAX);
    if rest > 0 {
        sheet.paragraph(&format!("{} more.", counted(rest, "manifest")));
    }
}

fn used(sheet: &mut Sheet<'_>, facts: &Facts, links: &Links<'_>) {
    let mut packages: BTreeMap<&str, (u32, Vec<&str>)> = BTreeMap::new();
    for row in &facts.packages {
        let entry = packages.entry(&row.package).or_default();
        entry.0 = entry.0.saturating_add(row.imports);
        entry.1.push(&row.module);
    }
    sheet.heading(2, "Used");
    if packages.is_empty() {
        sheet.paragraph("No import names a package from outside the repository. Standard libraries are not counted.");
        return;
    }
    sheet.paragraph("Packages from outside the repository that files import. Standard libraries are not counted.");
    let total = packages.len();
    let rows: Vec<Vec<String>> = packages
        .into_iter()
        .take(MAX_PACKAGES)
        .map(|(package, (imports, modules))| {
            let mut users: Vec<String> =
                modules.iter().take(MAX_USERS).map(|module| links.module(facts, module)).collect();
            let rest = modules.len().saturating_sub(MAX_USERS);
            if rest > 0 {
                users.push(format!("{rest} more"));
            }
            vec![code(package), thousands(imports), users.join(", ")]
        })
        .collect();
    sheet.table(&["Package", "Imports:", "Modules"], &rows);
    if total > MAX_PACKAGES {
        sheet.paragraph(&format!("{} more packages are not listed.", total - MAX_PACKAGES));
    }
}
