//! JavaScript and TypeScript: relative paths, the repository's own packages, and packages from elsewhere.

use super::index::{FileId, Index, Module, Target, folder, join, relative};
use super::packages::Packages;
use super::standard;
use crate::EntryPointKind;

/// Endings tried behind a specifier, in the order in which compilers try them.
const ENDINGS: &[&str] = &[".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

/// What TypeScript sources are called that are imported by the name of their output.
const SOURCES: &[(&str, &[&str])] =
    &[(".js", &[".ts", ".tsx", ".d.ts"]), (".jsx", &[".tsx"]), (".mjs", &[".mts"]), (".cjs", &[".cts"])];

pub(super) fn module(index: &Index<'_>, packages: &Packages<'_>, file: FileId, specifier: &str) -> Module {
    let specifier = specifier.split(['?', '#']).next().unwrap_or(specifier);
    let path = index.path(file);
    if specifier.starts_with('.') {
        let found = relative(folder(path), specifier).and_then(|path| candidate(index, &path));
        return found.map_or(Module::Unknown, |found| Module::Found(Target::File(found)));
    }
    if specifier.starts_with('/') || specifier.contains(':') || specifier.is_empty() {
        return Module::Unknown;
    }
    let (package, rest) = split(specifier);
    if let Some(found) = own_package(index, packages, package, rest) {
        return found.map_or(Module::Unknown, |found| Module::Found(Target::File(found)));
    }
    if standard::is_node(package) {
        return Module::Unknown;
    }
    // A path from the package's own directory (`baseUrl`), which shadows packages from elsewhere.
    let home = packages.npm_home(path).unwrap_or_default();
    let local = Some(rest).filter(|rest| !rest.is_empty()).and_then(|_| candidate(index, &join(home, specifier)));
    if let Some(found) = local {
        return Module::Found(Target::File(found));
    }
    let is_name = package.starts_with(|first: char| first.is_ascii_alphanumeric())
        || (package.starts_with('@') && package.len() > 2 && !package.starts_with("@/"));
    if is_name { Module::External(package.to_owned()) } else { Module::Unknown }
}

/// The package's name and the path in it.
fn split(specifier: &str) -> (&str, &str) {
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    match specifier.match_indices('/').nth(parts - 1) {
        Some((at, _)) => (specifier.get(..at).unwrap_or(specifier), specifier.get(at + 1..).unwrap_or_default()),
        None => (specifier, ""),
    }
}

/// A file of one of the repository's own packages; `None` if the package is not one, `None` inside if there is no such file.
fn own_package(index: &Index<'_>, packages: &Packages<'_>, package: &str, rest: &str) -> Option<Option<FileId>> {
    let manifest_file = packages.npm.get(package)?;
    let home = folder(&manifest_file.path);
    if !rest.is_empty() {
        let inside = [join(home, rest), join(home, &format!("src/{rest}"))];
        return Some(inside.iter().find_map(|path| candidate(index, path)));
    }
    let entries = manifest_file.manifest.iter().flat_map(|manifest| &manifest.entry_points);
    let mut targets: Vec<String> = entries
        .filter(|entry| entry.kind == EntryPointKind::Library)
        .filter_map(|entry| relative(home, &entry.target))
        .collect();
    targets.extend(["src/index", "index", "src/main", "lib/index"].map(|path| join(home, path)));
    Some(targets.iter().find_map(|path| candidate(index, path)))
}

/// The file meant by a path without its ending, or of a directory.
fn candidate(index: &Index<'_>, path: &str) -> Option<FileId> {
    let of_code = |id: &FileId| index.file(*id).is_some();
    if let Some(found) = index.find(path).filter(of_code) {
        return Some(found);
    }
    for (output, sources) in SOURCES {
        if let Some(stem) = path.strip_suffix(output) {
            let source = sources.iter().find_map(|ending| index.find(&format!("{stem}{ending}")));
            if source.is_some() {
                return source;
            }
        }
    }
    let behind = ENDINGS.iter().find_map(|ending| index.find(&format!("{path}{ending}")));
    behind.or_else(|| ENDINGS.iter().find_map(|ending| index.find(&join(path, &format!("index{ending}")))))
}
