//! Collecting edges and dependencies without duplicates.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{FileId, Index, Module, Target};
use super::names::Names;
use super::packages::Packages;
use super::rust::{Place, RustNames, Used};
use super::{Edge, EdgeKind, ExternalDependency};
use crate::{Import, ImportKind, Language};

type Key = (FileId, Option<u32>, FileId, Option<u32>, EdgeKind);

struct Weight {
    tier: u8,
    line: u32,
    count: u32,
}

/// Edges and dependencies as they are found.
#[derive(Default)]
pub(super) struct Found {
    edges: BTreeMap<Key, Weight>,
    externals: BTreeMap<(FileId, String), u32>,
}

impl Found {
    fn edge(&mut self, key: Key, tier: u8, line: u32, count: u32) {
        let (src, src_symbol, dst, dst_symbol, _) = key;
        if src == dst && (src_symbol == dst_symbol || dst_symbol.is_none()) {
            return;
        }
        let weight = self.edges.entry(key).or_insert(Weight { tier, line, count: 0 });
        weight.count = weight.count.saturating_add(count);
        weight.tier = weight.tier.min(tier);
        weight.line = weight.line.min(line);
    }

    fn external(&mut self, file: FileId, package: String) {
        *self.externals.entry((file, package)).or_insert(0) += 1;
    }

    pub(super) fn edges(&self, index: &Index<'_>) -> Vec<Edge> {
        let edge = |(key, weight): (&Key, &Weight)| Edge {
            src_path: index.path(key.0).to_owned(),
            src_symbol: key.1,
            dst_path: index.path(key.2).to_owned(),
            dst_symbol: key.3,
            kind: key.4,
            tier: weight.tier,
            line: weight.line,
            count: weight.count,
        };
        self.edges.iter().map(edge).collect()
    }

    pub(super) fn externals(&self, index: &Index<'_>) -> Vec<ExternalDependency> {
        let dependency = |((file, package), count): (&(FileId, String), &u32)| ExternalDependency {
            path: index.path(*file).to_owned(),
            package: package.clone(),
            count: *count,
        };
        self.externals.iter().map(dependency).collect()
    }

    /// Pairs of different files and how often the first mentions the second.
    pub(super) fn between_files(&self) -> BTreeMap<(FileId, FileId), u32> {
        let mut pairs: BTreeMap<(FileId, FileId), u32> = BTreeMap::new();
        for (key, weight) in &self.edges {
            if key.0 != key.2 {
                let count = pairs.entry((key.0, key.2)).or_insert(0);
                *count = count.saturating_add(weight.count);
            }
        }
        pairs
    }
}

/// Resolves everything that all files import and mention.
pub(super) fn find(index: &Index<'_>) -> Found {
    let packages = Packages::new(index);
    let names = Names::new(index, &packages);
    let rust = RustNames::new(index);
    let mut found = Found::default();
    for (id, file) in index.files.iter().enumerate() {
        if file.language == Language::Rust {
            rust_imports(&rust, id, &file.imports, &mut found);
        } else {
            imports(&names, id, &file.imports, &mut found);
        }
        let mut used: BTreeMap<FileId, u32> = BTreeMap::new();
        for mention in &file.refs {
            let target = if file.language == Language::Rust {
                rust.resolve(id, mention)
            } else {
                names.resolve(id, mention).and_then(|(target, tier)| match target {
                    Target::Symbol(file, ordinal) => Some(((file, ordinal), tier)),
                    _ => None,
                })
            };
            let Some(((dst, ordinal), tier)) = target else {
                continue;
            };
            used.entry(dst).or_insert(mention.line);
            found.edge(
                (id, mention.enclosing, dst, Some(ordinal), mention.kind.into()),
                tier,
                mention.line,
                mention.count,
            );
        }
        package_imports(&names, id, &file.imports, &used, &mut found);
    }
    found
}

fn imports(names: &Names<'_, '_>, file: FileId, imports: &[Import], found: &mut Found) {
    for (at, import) in imports.iter().enumerate() {
        match names.module(file, at) {
            Module::External(package) => {
                found.external(file, package.clone());
                continue;
            }
            Module::Found(Target::File(dst)) if import.names.is_empty() => {
                found.edge((file, None, *dst, None, EdgeKind::Import), 2, import.line, 1);
            }
            // A local export brings nothing in.
            _ if import.module.is_empty() => continue,
            _ => {}
        }
        for name in &import.names {
            let target = names.imported(file, at, &name.name, 0);
            let fallback = match names.module(file, at) {
                Module::Found(Target::File(dst)) => Some((*dst, None)),
                _ => None,
            };
            let (dst, symbol) = match target {
                Some(Target::Symbol(dst, ordinal)) => (dst, Some(ordinal)),
                Some(Target::File(dst)) => (dst, None),
                // The module is here, the name is made at run time.
                _ => match fallback {
                    Some(fallback) => fallback,
                    None => continue,
                },
            };
            found.edge((file, None, dst, symbol, EdgeKind::Import), 2, import.line, 1);
        }
    }
}

/// An import of a package of many files is one of those files that are used.
fn package_imports(
    names: &Names<'_, '_>,
    file: FileId,
    imports: &[Import],
    used: &BTreeMap<FileId, u32>,
    found: &mut Found,
) {
    let mut packages: BTreeMap<usize, u32> = BTreeMap::new();
    for (at, import) in imports.iter().enumerate() {
        let whole =
            import.names.is_empty() || import.names.iter().any(|name| matches!(name.name.as_str(), "self" | "*"));
        if let (true, Module::Found(Target::Package(package))) = (whole, names.module(file, at)) {
            packages.entry(*package).or_insert(import.line);
        }
    }
    for dst in used.keys() {
        if let Some(line) = names.packages.of_file(*dst).and_then(|package| packages.get(&package)) {
            found.edge((file, None, *dst, None, EdgeKind::Import), 2, *line, 1);
        }
    }
}

fn rust_imports(rust: &RustNames<'_, '_>, file: FileId, imports: &[Import], found: &mut Found) {
    let mut seen: BTreeSet<(u32, String)> = BTreeSet::new();
    for import in imports {
        if import.kind == ImportKind::Mod {
            if let Some(dst) = rust.module_file(file, &import.module) {
                found.edge((file, None, dst, None, EdgeKind::Import), 2, import.line, 1);
            }
            continue;
        }
        for name in &import.names {
            match rust.used(file, &import.module, &name.name) {
                Used::Found(place) => {
                    let (dst, symbol) = match place {
                        Place::Module(dst, symbol) => (dst, symbol),
                        Place::Symbol(dst, symbol) => (dst, Some(symbol)),
                    };
                    found.edge((file, None, dst, symbol, EdgeKind::Import), 2, import.line, 1);
                }
                Used::External(package) => {
                    // One statement, however many names it takes.
                    if seen.insert((import.line, package.clone())) {
                        found.external(file, package);
                    }
                }
                Used::Unknown => {}
            }
        }
    }
}
