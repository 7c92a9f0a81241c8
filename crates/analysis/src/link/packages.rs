//! The packages of the repository itself: its own names count as internal.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::index::{FileId, Index, Target, ancestors, folder};
use super::{LinkFile, LinkSymbol, python};
use crate::{ImportKind, Language, ManifestKind, SymbolKind};

/// A Go or Java package: several files that share their names.
struct Package<'input> {
    name: &'input str,
    members: HashMap<&'input str, Target>,
    /// Go's methods by `Type.method`, wherever in the package they stand.
    methods: HashMap<&'input str, Target>,
}

/// All packages of a snapshot, by the names under which they are imported.
pub(super) struct Packages<'input> {
    packages: Vec<Package<'input>>,
    of_file: HashMap<FileId, usize>,
    /// Go: by directory, without the packages of tests.
    go_folders: HashMap<&'input str, usize>,
    /// Go: module path and directory, longest path first.
    go_modules: Vec<(&'input str, &'input str)>,
    /// Go: paths of the modules that any `go.mod` requires.
    go_requirements: HashSet<&'input str>,
    /// Java: by name.
    java: HashMap<&'input str, usize>,
    /// npm: manifests by package name.
    pub(super) npm: HashMap<&'input str, &'input LinkFile>,
    /// npm: directories with a manifest.
    pub(super) npm_folders: BTreeSet<&'input str>,
    /// Python: files by dotted name.
    pub(super) python: HashMap<String, Vec<FileId>>,
    /// Python: first parts of dotted names.
    pub(super) python_tops: BTreeSet<String>,
}

impl<'input> Packages<'input> {
    pub(super) fn new(index: &Index<'input>) -> Self {
        let mut packages = Self {
            packages: Vec::new(),
            of_file: HashMap::new(),
            go_folders: HashMap::new(),
            go_modules: Vec::new(),
            go_requirements: HashSet::new(),
            java: HashMap::new(),
            npm: HashMap::new(),
            npm_folders: BTreeSet::new(),
            python: HashMap::new(),
            python_tops: BTreeSet::new(),
        };
        packages.read_manifests(index);
        packages.read_go(index);
        packages.read_java(index);
        python::read(index, &mut packages);
        packages
    }

    fn read_manifests(&mut self, index: &Index<'input>) {
        for file in &index.files {
            let Some(manifest) = &file.manifest else {
                continue;
            };
            let home = folder(&file.path);
            if manifest.kind == ManifestKind::Npm {
                self.npm_folders.insert(home);
            }
            if manifest.kind == ManifestKind::GoMod {
                self.go_requirements.extend(manifest.dependencies.iter().map(String::as_str));
            }
            let Some(name) = manifest.name.as_deref().filter(|name| !name.is_empty()) else {
                continue;
            };
            match manifest.kind {
                ManifestKind::Npm => {
                    self.npm.entry(name).or_insert(file);
                }
                ManifestKind::GoMod => self.go_modules.push((name, home)),
                _ => {}
            }
        }
        self.go_modules.sort_by(|left, right| right.0.len().cmp(&left.0.len()).then(left.cmp(right)));
    }

    fn read_go(&mut self, index: &Index<'input>) {
        let mut numbers: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (id, file) in index.of_language(&[Language::Go]) {
            let Some(clause) = file.imports.iter().find(|import| import.kind == ImportKind::Package) else {
                continue;
            };
            let home = folder(&file.path);
            let number = *numbers.entry((home, &clause.module)).or_insert_with(|| self.packages.len());
            self.add(number, &clause.module);
            self.of_file.insert(id, number);
            if !clause.module.ends_with("_test") {
                self.go_folders.entry(home).or_insert(number);
            }
            self.add_members(number, id, file);
        }
    }

    fn read_java(&mut self, index: &Index<'input>) {
        for (id, file) in index.of_language(&[Language::Java]) {
            let clause = file.imports.iter().find(|import| import.kind == ImportKind::Package);
            let name = clause.map_or("", |clause| &clause.module);
            let next = self.packages.len();
            let number = *self.java.entry(name).or_insert(next);
            self.add(number, name);
            self.of_file.insert(id, number);
            self.add_members(number, id, file);
        }
    }

    fn add(&mut self, number: usize, name: &'input str) {
        if number == self.packages.len() {
            self.packages.push(Package { name, members: HashMap::new(), methods: HashMap::new() });
        }
    }

    fn add_members(&mut self, number: usize, id: FileId, file: &'input LinkFile) {
        let Some(package) = self.packages.get_mut(number) else {
            return;
        };
        for (ordinal, symbol) in (0..).zip(&file.symbols) {
            let target = Target::Symbol(id, ordinal);
            if symbol.kind == SymbolKind::Method {
                package.methods.entry(&symbol.qualified).or_insert(target);
            } else if symbol.parent.is_none() && symbol.kind != SymbolKind::Module {
                package.members.entry(&symbol.name).or_insert(target);
            }
        }
    }

    /// A top-level symbol of a package.
    pub(super) fn member(&self, package: usize, name: &str) -> Option<Target> {
        self.packages.get(package)?.members.get(name).copied()
    }

    /// The name in the package's own clause.
    pub(super) fn name(&self, package: usize) -> &str {
        self.packages.get(package).map_or("", |package| package.name)
    }

    /// A top-level symbol of the package a file is in.
    pub(super) fn sibling(&self, file: FileId, name: &str) -> Option<Target> {
        self.member(*self.of_file.get(&file)?, name)
    }

    /// The package a file is in.
    pub(super) fn of_file(&self, file: FileId) -> Option<usize> {
        self.of_file.get(&file).copied()
    }

    /// A method of a Go type, in whatever file of the package.
    pub(super) fn go_method(&self, file: FileId, of: &str, name: &str) -> Option<Target> {
        self.packages.get(*self.of_file.get(&file)?)?.methods.get(format!("{of}.{name}").as_str()).copied()
    }

    /// The type that a Go method belongs to.
    pub(super) fn go_receiver(&self, file: FileId, method: &LinkSymbol) -> Option<(FileId, u32)> {
        if method.kind != SymbolKind::Method {
            return None;
        }
        let (of, _) = method.qualified.split_once('.')?;
        match self.sibling(file, of)? {
            Target::Symbol(file, ordinal) => Some((file, ordinal)),
            _ => None,
        }
    }

    /// The Go package at an import path; `None` inside if the path is the repository's, but holds no package.
    pub(super) fn go_import(&self, path: &str) -> Option<Option<usize>> {
        for (module, home) in &self.go_modules {
            let Some(rest) = path.strip_prefix(module) else {
                continue;
            };
            if rest.is_empty() {
                return Some(self.go_folders.get(home).copied());
            }
            if let Some(rest) = rest.strip_prefix('/') {
                return Some(self.go_folders.get(super::index::join(home, rest).as_str()).copied());
            }
        }
        None
    }

    /// The required Go module that a package at this import path belongs to: the one with the longest path.
    pub(super) fn go_requirement<'path>(&self, path: &'path str) -> Option<&'path str> {
        let mut candidate = path;
        while !self.go_requirements.contains(candidate) {
            candidate = candidate.rsplit_once('/')?.0;
        }
        Some(candidate)
    }

    pub(super) fn java_package(&self, name: &str) -> Option<usize> {
        self.java.get(name).copied()
    }

    /// A Java type by its full name, nested types included as their outermost one's package allows.
    pub(super) fn java_type(&self, full: &str) -> Option<Target> {
        let (package, name) = full.rsplit_once('.')?;
        self.member(self.java_package(package)?, name)
    }

    /// The nearest directory above a file that is an npm package.
    pub(super) fn npm_home<'path>(&self, path: &'path str) -> Option<&'path str> {
        ancestors(path).find(|folder| self.npm_folders.contains(folder))
    }
}
