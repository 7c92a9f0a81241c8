//! Collecting edges and dependencies without duplicates.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{FileId, Index, Module, Target};
use super::names::Names;
use super::packages::Packages;
use super::rust::{Meaning, Place, RustNames};
use super::{Edge, EdgeKind, ExternalDependency, FileRefs, LinkFile, LinkImport};
use crate::{ImportKind, Language, Ref};

/// What an edge of a file is known by: its own symbol, the file and symbol meant, the kind.
type Key = (Option<u32>, FileId, Option<u32>, EdgeKind);

struct Weight {
    tier: u8,
    line: u32,
    count: u32,
}

/// What one file is found to use.
#[derive(Default)]
struct Used {
    edges: BTreeMap<Key, Weight>,
    externals: BTreeMap<String, u32>,
}

impl Used {
    fn edge(&mut self, key: Key, tier: u8, line: u32, count: u32) {
        let weight = self.edges.entry(key).or_insert(Weight { tier, line, count: 0 });
        weight.count = weight.count.saturating_add(count);
        weight.tier = weight.tier.min(tier);
        weight.line = weight.line.min(line);
    }

    fn import(&mut self, dst: FileId, symbol: Option<u32>, line: u32) {
        self.edge((None, dst, symbol, EdgeKind::Import), 2, line, 1);
    }

    fn external(&mut self, package: String) {
        *self.externals.entry(package).or_insert(0) += 1;
    }
}

/// Edges and dependencies of all files, and how often each file mentions each other one.
#[derive(Default)]
pub(super) struct Found {
    pub(super) edges: Vec<Edge>,
    pub(super) externals: Vec<ExternalDependency>,
    pub(super) between: BTreeMap<(FileId, FileId), u32>,
}

impl Found {
    /// Files come in order, and each file's edges are sorted by their key, so the whole is sorted.
    fn add(&mut self, index: &Index<'_>, src: FileId, used: Used) {
        for ((src_symbol, dst, dst_symbol, kind), Weight { tier, line, count }) in used.edges {
            // Itself, or the file around it, is nobody's dependency.
            if src == dst && (src_symbol == dst_symbol || dst_symbol.is_none()) {
                continue;
            }
            if src != dst {
                let mentions = self.between.entry((src, dst)).or_insert(0);
                *mentions = mentions.saturating_add(count);
            }
            let (src, dst) = (crate::text::clamp(src), crate::text::clamp(dst));
            self.edges.push(Edge { src, src_symbol, dst, dst_symbol, kind, tier, line, count });
        }
        let path = index.path(src);
        self.externals.extend(used.externals.into_iter().map(|(package, count)| ExternalDependency {
            path: path.to_owned(),
            package,
            count,
        }));
    }
}

/// Resolves everything that all files import and mention. The mentions come in order of path.
pub(super) fn find(index: &Index<'_>, mentions: impl Iterator<Item = FileRefs>) -> Found {
    let packages = Packages::new(index);
    let names = Names::new(index, &packages);
    let rust = RustNames::new(index);
    let mut mentions = mentions.peekable();
    let mut found = Found::default();
    for (id, file) in index.files.iter().enumerate() {
        // What is before this file belongs to none, or to one of which there are two.
        while mentions.next_if(|next| next.path < file.path).is_some() {}
        let refs = mentions.next_if(|next| next.path == file.path).map_or_else(Vec::new, |next| next.refs);
        found.add(index, id, of_file(&names, &rust, id, file, &refs));
        names.forget_some();
        rust.forget_some();
    }
    found
}

fn of_file(names: &Names<'_, '_>, rust: &RustNames<'_, '_>, id: FileId, file: &LinkFile, refs: &[Ref]) -> Used {
    let mut used = Used::default();
    if file.language == Language::Rust {
        rust_imports(rust, id, &file.imports, &mut used);
    } else {
        imports(names, id, &file.imports, &mut used);
    }
    let mut files: BTreeMap<FileId, u32> = BTreeMap::new();
    for mention in refs {
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
        files.entry(dst).or_insert(mention.line);
        used.edge((mention.enclosing, dst, Some(ordinal), mention.kind.into()), tier, mention.line, mention.count);
    }
    package_imports(names, id, &file.imports, &files, &mut used);
    used
}

fn imports(names: &Names<'_, '_>, file: FileId, imports: &[LinkImport], used: &mut Used) {
    for (at, import) in imports.iter().enumerate() {
        match names.module(file, at) {
            Module::External(package) => {
                used.external(package.clone());
                continue;
            }
            Module::Found(Target::File(dst)) if import.names.is_empty() => {
                used.import(*dst, None, import.line);
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
            used.import(dst, symbol, import.line);
        }
    }
}

/// An import of a package of many files is one of those files that are used.
fn package_imports(
    names: &Names<'_, '_>,
    file: FileId,
    imports: &[LinkImport],
    files: &BTreeMap<FileId, u32>,
    used: &mut Used,
) {
    let mut packages: BTreeMap<usize, u32> = BTreeMap::new();
    for (at, import) in imports.iter().enumerate() {
        let whole =
            import.names.is_empty() || import.names.iter().any(|name| matches!(name.name.as_str(), "self" | "*"));
        if let (true, Module::Found(Target::Package(package))) = (whole, names.module(file, at)) {
            packages.entry(*package).or_insert(import.line);
        }
    }
    for dst in files.keys() {
        if let Some(line) = names.packages.of_file(*dst).and_then(|package| packages.get(&package)) {
            used.import(*dst, None, *line);
        }
    }
}

fn rust_imports(rust: &RustNames<'_, '_>, file: FileId, imports: &[LinkImport], used: &mut Used) {
    let mut seen: BTreeSet<(u32, String)> = BTreeSet::new();
    for import in imports {
        if import.kind == ImportKind::Mod {
            if let Some(dst) = rust.module_file(file, &import.module) {
                used.import(dst, None, import.line);
            }
            continue;
        }
        for name in &import.names {
            match rust.used(file, &import.module, &name.name) {
                Meaning::Found(place) => {
                    let (dst, symbol) = match place {
                        Place::Module(dst, symbol) => (dst, symbol),
                        Place::Symbol(dst, symbol) => (dst, Some(symbol)),
                    };
                    used.import(dst, symbol, import.line);
                }
                Meaning::External(package) => {
                    // One statement, however many names it takes.
                    if seen.insert((import.line, package.clone())) {
                        used.external(package);
                    }
                }
                Meaning::Unknown => {}
            }
        }
    }
}
