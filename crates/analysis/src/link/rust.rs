//! What paths mean in Rust: modules, `use`, globs, types and their `impl` blocks.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use super::index::{FileId, Index, fits};
use super::names::{MAX_BASES, MAX_REMEMBERED};
use super::rust_tree::RustTree;
use super::{LinkSymbol, standard};
use crate::{ImportKind, Language, ManifestKind, Ref, RefKind, SymbolKind};

/// How many re-exports are followed.
const MAX_DEPTH: usize = 8;

/// How many lookups one mention may cost: globs of globs end somewhere.
const MAX_LOOKUPS: u32 = 2_000;

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A file's module, or one written inside it.
    Module(FileId, Option<u32>),
    Symbol(FileId, u32),
}

/// What an import brings in.
pub(super) enum Meaning {
    Found(Place),
    External(String),
    Unknown,
}

/// Imports by the name they bind, as (import, name).
type Bound<'input> = HashMap<&'input str, Vec<(usize, usize)>>;

/// A name in a module of a file.
type Lookup = (FileId, Option<u32>, String);

type Impls<'input> = HashMap<&'input str, Vec<(FileId, u32)>>;

pub(super) struct RustNames<'index, 'input> {
    index: &'index Index<'input>,
    tree: RustTree,
    /// `impl` blocks by the name of their type.
    impls: Impls<'input>,
    /// Types by name: files that declare one.
    types: HashMap<&'input str, Vec<FileId>>,
    bound: HashMap<FileId, Bound<'input>>,
    /// Per file: modules that are other files.
    files_of_modules: HashMap<FileId, HashSet<&'input str>>,
    /// Packages that any manifest depends on, by the name code imports them under.
    dependencies: HashMap<String, &'input str>,
    /// Lookups in progress or done, by module and name.
    known: RefCell<HashMap<Lookup, Option<Place>>>,
    lookups: Cell<u32>,
}

impl<'index, 'input> RustNames<'index, 'input> {
    pub(super) fn new(index: &'index Index<'input>) -> Self {
        let mut impls: Impls<'_> = HashMap::new();
        let mut types: HashMap<&str, Vec<FileId>> = HashMap::new();
        let mut bound = HashMap::new();
        let mut files_of_modules = HashMap::new();
        for (id, file) in index.of_language(&[Language::Rust]) {
            for (ordinal, symbol) in (0..).zip(&file.symbols) {
                if symbol.kind == SymbolKind::Impl {
                    impls.entry(of_type(symbol)).or_default().push((id, ordinal));
                } else if symbol.kind.is_type() {
                    types.entry(&*symbol.name).or_default().push(id);
                }
            }
            let mut names: Bound<'_> = HashMap::new();
            for (at, import) in file.imports.iter().enumerate().filter(|(_, import)| import.kind != ImportKind::Mod) {
                for (position, name) in import.names.iter().enumerate() {
                    names.entry(name.local()).or_default().push((at, position));
                }
            }
            bound.insert(id, names);
            let declared = file.imports.iter().filter(|import| import.kind == ImportKind::Mod);
            files_of_modules.insert(id, declared.map(|import| import.module.as_str()).collect());
        }
        Self {
            index,
            tree: RustTree::new(index),
            impls,
            types,
            bound,
            files_of_modules,
            dependencies: dependencies(index),
            known: RefCell::default(),
            lookups: Cell::new(0),
        }
    }

    /// The file that `mod name;` declares.
    pub(super) fn module_file(&self, file: FileId, name: &str) -> Option<FileId> {
        self.tree.child(self.index, file, name)
    }

    /// What one name of a `use` means.
    pub(super) fn used(&self, file: FileId, module: &str, name: &str) -> Meaning {
        self.lookups.set(0);
        let full = if matches!(name, "self" | "*") { module.to_owned() } else { join(module, name) };
        if let Some(found) = self.path(file, None, &full, 0) {
            return Meaning::Found(found);
        }
        let first = full.split("::").next().unwrap_or_default();
        let is_internal =
            matches!(first, "crate" | "self" | "super" | "Self" | "") || self.tree.crate_root(first).is_some();
        let is_local = is_internal || standard::is_rust(first) || self.in_module(file, None, first, 0).is_some();
        if is_local {
            return Meaning::Unknown;
        }
        // Where manifests say what there is, any other name is one of the code's own that was not found.
        if !self.dependencies.is_empty() {
            let package = self.dependencies.get(first);
            return package.map_or(Meaning::Unknown, |package| Meaning::External((*package).to_owned()));
        }
        let is_crate_name = first
            .chars()
            .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_');
        if is_crate_name { Meaning::External(first.to_owned()) } else { Meaning::Unknown }
    }

    /// As [`Names::forget_some`](super::names::Names::forget_some).
    pub(super) fn forget_some(&self) {
        if self.known.borrow().len() > MAX_REMEMBERED {
            self.known.borrow_mut().clear();
        }
    }

    /// What a mention means, and by which tier that is known.
    pub(super) fn resolve(&self, file: FileId, mention: &Ref) -> Option<((FileId, u32), u8)> {
        self.lookups.set(0);
        let (place, tier) = match mention.receiver.as_deref() {
            None => self.bare(file, mention)?,
            Some("self") => (self.of_self(file, mention)?, 4),
            Some(receiver) => {
                let module = self.module_of(file, mention.enclosing);
                let of = self.path(file, module, receiver, 0)?;
                let tier = if matches!(of, Place::Module(..)) { 3 } else { 5 };
                (self.member(of, &mention.name, 0)?, tier)
            }
        };
        let Place::Symbol(target_file, ordinal) = place else {
            return None;
        };
        let symbol = self.index.symbol(target_file, ordinal)?;
        fits(symbol.kind, Some(mention.kind)).then_some(((target_file, ordinal), tier))
    }

    fn bare(&self, file: FileId, mention: &Ref) -> Option<(Place, u8)> {
        for around in self.index.around(file, mention.enclosing) {
            let is_function = self.index.symbol(file, around).is_some_and(|symbol| symbol.kind.is_callable());
            if let (true, Some(ordinal)) =
                (is_function, self.index.fitting(file, Some(around), &mention.name, Some(mention.kind)))
            {
                return Some((Place::Symbol(file, ordinal), 1));
            }
        }
        let module = self.module_of(file, mention.enclosing);
        if let Some(ordinal) = self.item(file, module, &mention.name, Some(mention.kind)) {
            return Some((Place::Symbol(file, ordinal), 1));
        }
        self.in_module(file, module, &mention.name, 0).map(|place| (place, 2))
    }

    /// `self.name()` and `Self::name()`: in the blocks of the same type, then in the trait.
    fn of_self(&self, file: FileId, mention: &Ref) -> Option<Place> {
        let around = self.index.around(file, mention.enclosing);
        let own = around.into_iter().find_map(|ordinal| {
            let symbol = self.index.symbol(file, ordinal)?;
            (symbol.kind == SymbolKind::Impl || symbol.kind.is_type()).then_some((ordinal, symbol))
        });
        let Some((ordinal, symbol)) = own else {
            // `self::name()` outside any type is about the module.
            return self.in_module(file, self.module_of(file, mention.enclosing), &mention.name, 0);
        };
        if symbol.kind != SymbolKind::Impl {
            return self.member(Place::Symbol(file, ordinal), &mention.name, 0);
        }
        if let Some(found) = self.in_impls(file, of_type(symbol), &mention.name) {
            return Some(found);
        }
        self.of_traits(file, ordinal, &mention.name).or_else(|| {
            let declared = self.in_module(file, self.module_of(file, Some(ordinal)), of_type(symbol), 0)?;
            self.member(declared, &mention.name, 0)
        })
    }

    fn of_traits(&self, file: FileId, of: u32, name: &str) -> Option<Place> {
        for base in self.index.bases(file, of).take(MAX_BASES) {
            let written = match &base.receiver {
                Some(receiver) => join(receiver, &base.name),
                None => base.name.clone(),
            };
            let Some(Place::Symbol(base_file, base)) = self.path(file, self.module_of(file, Some(of)), &written, 0)
            else {
                continue;
            };
            if let Some(ordinal) = self.index.fitting(base_file, Some(base), name, Some(RefKind::Call)) {
                return Some(Place::Symbol(base_file, ordinal));
            }
        }
        None
    }

    /// A member in an `impl` block of a type, in this file or, if the crate has one type of the name, in its other files.
    fn in_impls(&self, file: FileId, of: &str, name: &str) -> Option<Place> {
        let blocks = self.impls.get(of)?;
        let base = self.tree.base(file)?;
        let same_crate = |other: &FileId| self.tree.base(*other) == Some(base);
        let is_only =
            self.types.get(of).is_some_and(|files| files.iter().filter(|other| same_crate(other)).count() == 1);
        let in_file = blocks.iter().filter(|(block_file, _)| *block_file == file);
        let elsewhere =
            blocks.iter().filter(|(block_file, _)| *block_file != file && is_only && same_crate(block_file));
        for (block_file, block) in in_file.chain(elsewhere) {
            if let Some(ordinal) = self.index.fitting(*block_file, Some(*block), name, None) {
                return Some(Place::Symbol(*block_file, ordinal));
            }
        }
        None
    }

    /// The innermost module written around a symbol.
    fn module_of(&self, file: FileId, from: Option<u32>) -> Option<u32> {
        let is_module =
            |ordinal: &u32| self.index.symbol(file, *ordinal).is_some_and(|symbol| symbol.kind == SymbolKind::Module);
        self.index.around(file, from).into_iter().find(is_module)
    }

    /// What a path means in a module.
    fn path(&self, file: FileId, module: Option<u32>, path: &str, depth: usize) -> Option<Place> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut parts = path.split("::").filter(|part| !part.is_empty());
        let first = parts.next()?;
        let mut at = match first {
            "crate" | "$crate" => Place::Module(self.tree.root_of(file)?, None),
            "self" => Place::Module(file, module),
            "super" => self.above(file, module)?,
            name => match self.in_module(file, module, name, depth + 1) {
                Some(place) => place,
                None => Place::Module(self.tree.crate_root(name)?, None),
            },
        };
        for part in parts {
            at = match (part, at) {
                ("super", Place::Module(file, module)) => self.above(file, module)?,
                (part, at) => self.member(at, part, depth + 1)?,
            };
        }
        Some(at)
    }

    fn above(&self, file: FileId, module: Option<u32>) -> Option<Place> {
        match module {
            Some(ordinal) => {
                let outer = self.index.symbol(file, ordinal)?.parent;
                Some(Place::Module(file, self.module_of(file, outer)))
            }
            None => self.tree.parent(file).map(|parent| Place::Module(parent, None)),
        }
    }

    fn member(&self, of: Place, name: &str, depth: usize) -> Option<Place> {
        match of {
            Place::Module(file, module) => self.in_module(file, module, name, depth),
            Place::Symbol(file, ordinal) => {
                let symbol = self.index.symbol(file, ordinal)?;
                if let Some(member) = self.index.fitting(file, Some(ordinal), name, None) {
                    return Some(Place::Symbol(file, member));
                }
                if symbol.kind.is_type() { self.in_impls(file, &symbol.name, name) } else { None }
            }
        }
    }

    /// An item declared in a module.
    fn item(&self, file: FileId, module: Option<u32>, name: &str, kind: Option<RefKind>) -> Option<u32> {
        let ordinal = self.index.fitting(file, module, name, kind)?;
        let is_file_module = self.index.symbol(file, ordinal).is_some_and(|symbol| symbol.kind == SymbolKind::Module);
        (!is_file_module).then_some(ordinal)
    }

    /// What a name means in a module: declared there, imported there, or behind a glob.
    fn in_module(&self, file: FileId, module: Option<u32>, name: &str, depth: usize) -> Option<Place> {
        if depth > MAX_DEPTH || self.lookups.get() > MAX_LOOKUPS {
            return None;
        }
        self.lookups.set(self.lookups.get() + 1);
        let key = (file, module, name.to_owned());
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        self.known.borrow_mut().insert(key.clone(), None);
        let found = self.find_in_module(file, module, name, depth);
        // A lookup that gave up is not an answer for others.
        if found.is_some() || self.lookups.get() <= MAX_LOOKUPS {
            self.known.borrow_mut().insert(key, found);
        } else {
            self.known.borrow_mut().remove(&key);
        }
        found
    }

    fn find_in_module(&self, file: FileId, module: Option<u32>, name: &str, depth: usize) -> Option<Place> {
        if let Some(ordinal) = self.item(file, module, name, None) {
            return Some(Place::Symbol(file, ordinal));
        }
        if let Some(found) = self.child_module(file, module, name) {
            return Some(found);
        }
        let imports = &self.index.file(file)?.imports;
        for (at, position) in self.bound.get(&file)?.get(name).into_iter().flatten() {
            let (Some(import), Some(imported)) =
                (imports.get(*at), imports.get(*at).and_then(|import| import.names.get(*position)))
            else {
                continue;
            };
            let full =
                if imported.name == "self" { import.module.clone() } else { join(&import.module, &imported.name) };
            // `use name;` does not say what the name is.
            if full != name
                && let Some(found) = self.path(file, module, &full, depth + 1)
            {
                return Some(found);
            }
        }
        for (at, _) in self.bound.get(&file)?.get("*").into_iter().flatten() {
            let Some(import) = imports.get(*at) else {
                continue;
            };
            let Some(of) = self.path(file, module, &import.module, depth + 1) else {
                continue;
            };
            if of != Place::Module(file, module)
                && let Some(found) = self.member(of, name, depth + 1)
            {
                return Some(found);
            }
        }
        None
    }

    fn child_module(&self, file: FileId, module: Option<u32>, name: &str) -> Option<Place> {
        let is_module =
            |ordinal: &u32| self.index.symbol(file, *ordinal).is_some_and(|symbol| symbol.kind == SymbolKind::Module);
        let ordinal = self.index.named(file, module, name).find(is_module)?;
        let symbol = self.index.symbol(file, ordinal)?;
        let has_body = !self.files_of_modules.get(&file)?.contains(&*symbol.qualified);
        if has_body {
            return Some(Place::Module(file, Some(ordinal)));
        }
        self.module_file(file, &symbol.qualified).map(|child| Place::Module(child, None))
    }
}

/// What the Cargo manifests of the repository depend on, by the name in code.
fn dependencies<'input>(index: &Index<'input>) -> HashMap<String, &'input str> {
    let mut found: HashMap<String, &str> = HashMap::new();
    let manifests = index.files.iter().filter_map(|file| file.manifest.as_ref());
    for manifest in manifests.filter(|manifest| manifest.kind == ManifestKind::Cargo) {
        let own = manifest.dependencies.iter().map(|name| (name, name));
        for (key, package) in own.chain(&manifest.renamed) {
            found.entry(key.replace('-', "_")).or_insert(package);
        }
    }
    found
}

/// The type that an `impl` block is for.
fn of_type(block: &LinkSymbol) -> &str {
    block.name.rsplit(" for ").next().unwrap_or(&block.name)
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}
