//! What names mean, for the languages where a file is a module: Python, JavaScript, TypeScript, Go and Java.

use std::cell::RefCell;
use std::collections::HashMap;

use super::index::{FileId, Index, Module, Target, fits};
use super::packages::Packages;
use super::{LinkImport, ecmascript, go, java, python};
use crate::{ImportKind, Language, Ref, RefKind, SymbolKind};

/// How many re-exports and base classes are followed.
const MAX_DEPTH: usize = 8;

/// How many bases of one type are looked at.
pub(super) const MAX_BASES: usize = 16;

/// How many answers are kept for the next who asks.
pub(super) const MAX_REMEMBERED: usize = 100_000;

/// A target and the tier by which it was found.
pub(super) type Found = (Target, u8);

/// Imports resolved per file, and everything asked of them so far.
pub(super) struct Names<'index, 'input> {
    pub(super) index: &'index Index<'input>,
    pub(super) packages: &'index Packages<'input>,
    /// Per file and import.
    modules: Vec<Vec<Module>>,
    /// Per file: imports by the name they bind. Sorted by position.
    bound: Vec<HashMap<&'input str, Vec<(usize, usize)>>>,
    /// What files give out; a name that is being looked up is not there yet and so ends a circle.
    exports: RefCell<HashMap<(FileId, String), Option<Target>>>,
}

impl<'index, 'input> Names<'index, 'input> {
    pub(super) fn new(index: &'index Index<'input>, packages: &'index Packages<'input>) -> Self {
        let mut modules = Vec::with_capacity(index.files.len());
        let mut bound = Vec::with_capacity(index.files.len());
        for (id, file) in index.files.iter().enumerate() {
            let mut in_file = Vec::with_capacity(file.imports.len());
            let mut names: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
            for (at, import) in file.imports.iter().enumerate() {
                in_file.push(module(index, packages, id, import));
                for (position, name) in import.names.iter().enumerate() {
                    names.entry(name.local()).or_default().push((at, position));
                }
            }
            modules.push(in_file);
            bound.push(names);
        }
        Self { index, packages, modules, bound, exports: RefCell::new(HashMap::new()) }
    }

    pub(super) fn module(&self, file: FileId, import: usize) -> &Module {
        self.modules.get(file).and_then(|modules| modules.get(import)).unwrap_or(&Module::Unknown)
    }

    /// What one name of an import means.
    pub(super) fn imported(&self, file: FileId, import: usize, name: &str, depth: usize) -> Option<Target> {
        let statement = self.index.file(file)?.imports.get(import)?;
        let Module::Found(target) = *self.module(file, import) else {
            // `from . import sibling` in a package without a file of its own.
            return self.submodule(file, statement, name);
        };
        if matches!(name, "self" | "*") {
            return Some(target);
        }
        self.member(target, name, None, depth + 1).or_else(|| self.submodule(file, statement, name))
    }

    fn submodule(&self, file: FileId, import: &LinkImport, name: &str) -> Option<Target> {
        if self.index.file(file)?.language != Language::Python {
            return None;
        }
        let separator = if import.module.ends_with('.') { "" } else { "." };
        python::find(self.index, self.packages, file, &format!("{}{separator}{name}", import.module))
    }

    /// What a file gives out under a name.
    fn export(&self, file: FileId, name: &str, depth: usize) -> Option<Target> {
        if depth > MAX_DEPTH {
            return None;
        }
        let key = (file, name.to_owned());
        if let Some(known) = self.exports.borrow().get(&key) {
            return *known;
        }
        self.exports.borrow_mut().insert(key.clone(), None);
        let found = self.find_export(file, name, depth);
        self.exports.borrow_mut().insert(key, found);
        found
    }

    fn find_export(&self, file: FileId, name: &str, depth: usize) -> Option<Target> {
        let language = self.index.file(file)?.language;
        let own = |name: &str| self.index.fitting(file, None, name, None).map(|ordinal| Target::Symbol(file, ordinal));
        // An export list has the last word on what a name means outside.
        let bindings = self.bound.get(file)?.get(name).map_or(&[][..], Vec::as_slice);
        let imports = &self.index.file(file)?.imports;
        for (at, position) in bindings {
            let Some(import) = imports.get(*at) else {
                continue;
            };
            let Some(imported) = import.names.get(*position) else {
                continue;
            };
            if import.kind == ImportKind::Reexport && import.module.is_empty() {
                let local = own(&imported.name).or_else(|| self.binding(file, &imported.name, depth + 1));
                if local.is_some() {
                    return local;
                }
            }
        }
        if let Some(found) = own(name) {
            return Some(found);
        }
        let passes_on = |import: &LinkImport| language == Language::Python || import.kind == ImportKind::Reexport;
        for (at, position) in bindings {
            let Some(import) = imports.get(*at).filter(|import| passes_on(import) && !import.module.is_empty()) else {
                continue;
            };
            let Some(imported) = import.names.get(*position) else {
                continue;
            };
            if let Some(found) = self.imported(file, *at, &imported.name, depth) {
                return Some(found);
            }
        }
        if name == "default" {
            return None;
        }
        for (at, import) in imports.iter().enumerate().filter(|(_, import)| passes_on(import)) {
            let is_wildcard = import.names.iter().any(|name| name.name == "*" && name.alias.is_none());
            if let (true, Module::Found(target)) = (is_wildcard, self.module(file, at))
                && let Some(found) = self.member(*target, name, None, depth + 1)
            {
                return Some(found);
            }
        }
        None
    }

    /// What a name bound by an import of this file means here.
    fn binding(&self, file: FileId, name: &str, depth: usize) -> Option<Target> {
        let imports = &self.index.file(file)?.imports;
        for (at, position) in self.bound.get(file)?.get(name)? {
            let Some(import) = imports.get(*at).filter(|import| !import.module.is_empty()) else {
                continue;
            };
            if import.kind == ImportKind::Reexport
                && import.names.len() == 1
                && self.index.file(file)?.language != Language::Python
            {
                // `export { x } from` gives x out, but does not bind it.
                continue;
            }
            let Some(imported) = import.names.get(*position) else {
                continue;
            };
            if let Some(found) = self.imported(file, *at, &imported.name, depth) {
                return Some(found);
            }
        }
        None
    }

    /// What a name means through something else: a module, a package or a type.
    fn member(&self, of: Target, name: &str, kind: Option<RefKind>, depth: usize) -> Option<Target> {
        match of {
            Target::File(file) => self.export(file, name, depth),
            Target::Package(package) => self.packages.member(package, name),
            Target::Symbol(file, ordinal) => self.type_member(file, ordinal, name, kind, depth),
        }
    }

    /// A member of a type, its own or inherited.
    fn type_member(&self, file: FileId, of: u32, name: &str, kind: Option<RefKind>, depth: usize) -> Option<Target> {
        let symbol = self.index.symbol(file, of)?;
        if depth > MAX_DEPTH || !(symbol.kind.is_type() || symbol.kind == SymbolKind::Namespace) {
            return None;
        }
        if let Some(ordinal) = self.index.fitting(file, Some(of), name, kind) {
            return Some(Target::Symbol(file, ordinal));
        }
        if let Some(found) = self.packages.go_method(file, &symbol.name, name) {
            return Some(found);
        }
        self.inherited(file, of, name, kind, depth)
    }

    fn inherited(&self, file: FileId, of: u32, name: &str, kind: Option<RefKind>, depth: usize) -> Option<Target> {
        let outer = self.index.symbol(file, of).and_then(|symbol| symbol.parent);
        for base in self.index.bases(file, of).take(MAX_BASES) {
            let Some((Target::Symbol(base_file, base), _)) = self.resolve_from(file, outer, base, depth + 1) else {
                continue;
            };
            if (base_file, base) == (file, of) {
                continue;
            }
            if let Some(found) = self.type_member(base_file, base, name, kind, depth + 1) {
                return Some(found);
            }
        }
        None
    }

    /// Forgets what was asked once that is more than it is worth. Asked between mentions only: a lookup in progress
    /// must stay known.
    pub(super) fn forget_some(&self) {
        if self.exports.borrow().len() > MAX_REMEMBERED {
            self.exports.borrow_mut().clear();
        }
    }

    /// What a mention means, and by which tier that is known.
    pub(super) fn resolve(&self, file: FileId, mention: &Ref) -> Option<Found> {
        self.resolve_from(file, mention.enclosing, mention, 0)
    }

    fn resolve_from(&self, file: FileId, from: Option<u32>, mention: &Ref, depth: usize) -> Option<Found> {
        if depth > MAX_DEPTH {
            return None;
        }
        let kind = Some(mention.kind);
        let found = match mention.receiver.as_deref() {
            None => self.bare(file, from, &mention.name, kind, depth),
            Some("self" | "this") => self.of_own_type(file, from, &mention.name, kind, false, depth),
            Some("super") => self.of_own_type(file, from, &mention.name, kind, true, depth),
            Some(receiver) => self.through(file, from, receiver, &mention.name, kind, depth),
        };
        found.filter(|(target, _)| match target {
            Target::Symbol(file, ordinal) => {
                self.index.symbol(*file, *ordinal).is_some_and(|symbol| fits(symbol.kind, kind))
            }
            _ => false,
        })
    }

    /// A name on its own: around it, in its file, imported, in its package.
    fn bare(&self, file: FileId, from: Option<u32>, name: &str, kind: Option<RefKind>, depth: usize) -> Option<Found> {
        let language = self.index.file(file)?.language;
        for around in self.index.around(file, from) {
            let symbol = self.index.symbol(file, around)?;
            // Only in Java is a method its type's business alone to name.
            let is_scope = language == Language::Java || !symbol.kind.is_type();
            if !is_scope {
                continue;
            }
            if let Some(ordinal) = self.index.fitting(file, Some(around), name, kind) {
                return Some((Target::Symbol(file, ordinal), 1));
            }
            if language == Language::Java
                && symbol.kind.is_type()
                && let Some(found) = self.inherited(file, around, name, kind, depth)
            {
                return Some((found, 4));
            }
        }
        if let Some(ordinal) = self.index.fitting(file, None, name, kind) {
            return Some((Target::Symbol(file, ordinal), 1));
        }
        if let Some(found) = self.binding(file, name, depth) {
            return Some((found, 2));
        }
        if let Some(found) = self.packages.sibling(file, name) {
            return Some((found, 1));
        }
        self.wildcard(file, name, depth).map(|found| (found, 2))
    }

    fn wildcard(&self, file: FileId, name: &str, depth: usize) -> Option<Target> {
        for (at, import) in self.index.file(file)?.imports.iter().enumerate() {
            let is_wildcard = import.kind != ImportKind::Reexport
                && import.names.iter().any(|name| name.name == "*" && name.alias.is_none());
            if let (true, Module::Found(target)) = (is_wildcard, self.module(file, at))
                && let Some(found) = self.member(*target, name, None, depth + 1)
            {
                return Some(found);
            }
        }
        None
    }

    fn of_own_type(
        &self,
        file: FileId,
        from: Option<u32>,
        name: &str,
        kind: Option<RefKind>,
        is_super: bool,
        depth: usize,
    ) -> Option<Found> {
        let own = self.index.around(file, from).into_iter().find_map(|ordinal| {
            let symbol = self.index.symbol(file, ordinal)?;
            if symbol.kind.is_type() {
                return Some((file, ordinal));
            }
            self.packages.go_receiver(file, symbol)
        });
        let (own_file, own) = own?;
        let found = if is_super {
            self.inherited(own_file, own, name, kind, depth)
        } else {
            self.type_member(own_file, own, name, kind, depth)
        };
        found.map(|found| (found, 4))
    }

    /// A name behind a chain of names.
    fn through(
        &self,
        file: FileId,
        from: Option<u32>,
        receiver: &str,
        name: &str,
        kind: Option<RefKind>,
        depth: usize,
    ) -> Option<Found> {
        let language = self.index.file(file)?.language;
        // `import a.b` in Python and a package's own path in Java are named in full.
        let whole = match language {
            Language::Python => self.python_module(file, receiver),
            Language::Java => self.packages.java_type(receiver),
            _ => None,
        };
        let target = match whole {
            Some(target) => target,
            None => {
                let mut parts = receiver.split('.');
                let (mut target, _) = match parts.next()? {
                    // A field of the object itself: its type is not known.
                    "self" | "this" | "super" => return None,
                    first => self.head(file, from, first, depth)?,
                };
                for part in parts {
                    target = self.member(target, part, None, depth + 1)?;
                }
                target
            }
        };
        let tier = if matches!(target, Target::Symbol(..)) { 5 } else { 3 };
        self.member(target, name, kind, depth + 1).map(|found| (found, tier))
    }

    fn head(&self, file: FileId, from: Option<u32>, name: &str, depth: usize) -> Option<Found> {
        if self.index.file(file)?.language == Language::Go
            && let Some(package) = self.go_import(file, name)
        {
            return Some((package, 3));
        }
        self.bare(file, from, name, None, depth)
    }

    /// A Go package under the name its clause gives it.
    fn go_import(&self, file: FileId, name: &str) -> Option<Target> {
        for (at, import) in self.index.file(file)?.imports.iter().enumerate() {
            if let (true, Module::Found(Target::Package(package))) = (import.names.is_empty(), self.module(file, at))
                && self.packages.name(*package) == name
            {
                return Some(Target::Package(*package));
            }
        }
        None
    }

    fn python_module(&self, file: FileId, dotted: &str) -> Option<Target> {
        for (at, import) in self.index.file(file)?.imports.iter().enumerate() {
            if let (true, Module::Found(target)) =
                (import.names.is_empty() && import.module == dotted, self.module(file, at))
            {
                return Some(*target);
            }
        }
        None
    }
}

fn module(index: &Index<'_>, packages: &Packages<'_>, file: FileId, import: &LinkImport) -> Module {
    if import.module.is_empty() || import.kind == ImportKind::Package {
        return Module::Unknown;
    }
    match index.file(file).map(|file| file.language) {
        Some(Language::Python) => python::module(index, packages, file, &import.module),
        Some(Language::JavaScript | Language::TypeScript | Language::Tsx) => {
            ecmascript::module(index, packages, file, &import.module)
        }
        Some(Language::Go) => go::module(packages, &import.module),
        Some(Language::Java) => java::module(packages, &import.module),
        _ => Module::Unknown,
    }
}
