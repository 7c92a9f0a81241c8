//! Which Rust file is which module of which crate, from paths alone.

use std::collections::HashMap;

use super::index::{FileId, Index, ancestors, folder, join, relative};
use crate::{EntryPointKind, Language, ManifestKind};

/// Directories whose files are crates of their own.
const TARGET_FOLDERS: &[&str] = &["tests", "examples", "benches", "bin"];

/// Where a file stands in its crate.
#[derive(Debug, Clone)]
struct Place {
    /// The directory that paths of the crate start at.
    base: String,
    /// Names from the crate's root down to the file; empty for the root.
    path: Vec<String>,
}

/// The module trees of all crates.
pub(super) struct RustTree {
    places: HashMap<FileId, Place>,
    by_place: HashMap<(String, Vec<String>), FileId>,
    /// Library roots by crate name, as code writes it.
    crates: HashMap<String, FileId>,
}

impl RustTree {
    pub(super) fn new(index: &Index<'_>) -> Self {
        let mut tree = Self { places: HashMap::new(), by_place: HashMap::new(), crates: HashMap::new() };
        for (id, file) in index.of_language(&[Language::Rust]) {
            let place = place(index, &file.path);
            // `lib.rs` sorts before `main.rs` and is the root of their common modules.
            tree.by_place.entry((place.base.clone(), place.path.clone())).or_insert(id);
            tree.places.insert(id, place);
        }
        for file in &index.files {
            let Some(manifest) = file.manifest.as_ref().filter(|manifest| manifest.kind == ManifestKind::Cargo) else {
                continue;
            };
            let Some(name) = &manifest.name else { continue };
            let home = folder(&file.path);
            let library = manifest.entry_points.iter().find(|entry| entry.kind == EntryPointKind::Library);
            let path = match library.filter(|library| !library.target.is_empty()) {
                Some(library) => relative(home, &library.target),
                None => Some(join(home, "src/lib.rs")),
            };
            if let Some(root) = path.and_then(|path| index.find(&path)) {
                tree.crates.entry(name.replace('-', "_")).or_insert(root);
                if let Some(library) = library {
                    tree.crates.entry(library.name.replace('-', "_")).or_insert(root);
                }
            }
        }
        tree
    }

    /// The root of a crate of the repository.
    pub(super) fn crate_root(&self, name: &str) -> Option<FileId> {
        self.crates.get(name).copied()
    }

    /// The root of a file's own crate.
    pub(super) fn root_of(&self, file: FileId) -> Option<FileId> {
        let place = self.places.get(&file)?;
        if place.path.is_empty() {
            return Some(file);
        }
        self.by_place.get(&(place.base.clone(), Vec::new())).copied()
    }

    /// The file of the module that a file's module is declared in.
    pub(super) fn parent(&self, file: FileId) -> Option<FileId> {
        let place = self.places.get(&file)?;
        let (_, above) = place.path.split_last()?;
        self.by_place.get(&(place.base.clone(), above.to_vec())).copied()
    }

    /// The crate a file belongs to, for asking whether two share one.
    pub(super) fn base(&self, file: FileId) -> Option<&str> {
        self.places.get(&file).map(|place| place.base.as_str())
    }

    /// The file of `mod name;` in a file, where `name` may contain inline modules around it.
    pub(super) fn child(&self, index: &Index<'_>, file: FileId, name: &str) -> Option<FileId> {
        let place = self.places.get(&file)?;
        let path = index.path(file);
        let stem = path.rsplit('/').next()?.strip_suffix(".rs")?;
        let home = folder(path);
        let is_root = place.path.is_empty() || stem == "mod";
        let inside = if is_root { home.to_owned() } else { join(home, stem) };
        let below = join(&inside, &name.replace("::", "/"));
        index.find(&format!("{below}.rs")).or_else(|| index.find(&format!("{below}/mod.rs")))
    }
}

fn place(index: &Index<'_>, path: &str) -> Place {
    let own = folder(path);
    let is_target = |folder: &str| TARGET_FOLDERS.contains(&folder.rsplit('/').next().unwrap_or(folder));
    for home in ancestors(path) {
        let has_root = ["lib.rs", "main.rs"].iter().any(|name| index.find(&join(home, name)).is_some());
        if has_root {
            return Place { base: home.to_owned(), path: below(home, path) };
        }
        if is_target(home) {
            let inside = below(home, path);
            // Each file directly in such a directory is a root.
            let inside = if home == own { Vec::new() } else { inside };
            let base = if inside.is_empty() { path.to_owned() } else { home.to_owned() };
            return Place { base, path: inside };
        }
    }
    Place { base: path.to_owned(), path: Vec::new() }
}

/// The module names from a base directory to a file.
fn below(base: &str, path: &str) -> Vec<String> {
    let inside = path.strip_prefix(base).unwrap_or(path).trim_start_matches('/');
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut names: Vec<String> = stem.split('/').map(str::to_owned).collect();
    let is_root = names.len() == 1 && matches!(stem, "lib" | "main");
    if is_root || names.last().is_some_and(|last| last == "mod") {
        names.pop();
    }
    names
}
