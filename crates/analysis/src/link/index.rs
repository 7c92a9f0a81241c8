//! What can be looked up in a snapshot: files by path and symbols by name.

use std::collections::{BTreeMap, HashMap};

use super::{LinkFile, LinkSymbol};
use crate::{Language, Ref, RefKind, SymbolKind};

/// Number of a file in order of path.
pub(super) type FileId = usize;

/// What a name can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A file as a module.
    File(FileId),
    /// A symbol by its ordinal.
    Symbol(FileId, u32),
    /// A package of several files, by its number.
    Package(usize),
}

/// What an import's module is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Module {
    /// Found in the repository.
    Found(Target),
    /// A package from elsewhere.
    External(String),
    /// The standard library, or not to be found.
    Unknown,
}

/// A file's symbols that can be named: parent, name and ordinal, sorted.
type Names<'input> = Vec<(Option<u32>, &'input str, u32)>;

/// The files of a snapshot, in order of path.
pub(super) struct Index<'input> {
    pub(super) files: Vec<&'input LinkFile>,
    by_path: HashMap<&'input str, FileId>,
    /// Per file.
    names: Vec<Names<'input>>,
    /// Per file: the mentions that name the bases of its symbols, by symbol.
    bases: Vec<Vec<&'input Ref>>,
    /// Files by directory.
    pub(super) folders: BTreeMap<&'input str, Vec<FileId>>,
}

impl<'input> Index<'input> {
    pub(super) fn new(files: &'input [LinkFile]) -> Self {
        let mut files: Vec<&LinkFile> = files.iter().collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        files.dedup_by(|later, first| later.path == first.path);
        let mut by_path = HashMap::new();
        let mut names = Vec::with_capacity(files.len());
        let mut bases = Vec::with_capacity(files.len());
        let mut folders: BTreeMap<&str, Vec<FileId>> = BTreeMap::new();
        for (id, file) in files.iter().enumerate() {
            by_path.insert(file.path.as_str(), id);
            folders.entry(folder(&file.path)).or_default().push(id);
            let named = (0..).zip(&file.symbols).filter(|(_, symbol)| {
                // The file's own module symbol cannot be named from inside.
                !symbol.is_file && symbol.kind != SymbolKind::Heading
            });
            let mut in_file: Names<'_> =
                named.map(|(ordinal, symbol)| (symbol.parent, &*symbol.name, ordinal)).collect();
            in_file.sort_unstable();
            names.push(in_file);
            let mut of_symbols: Vec<&Ref> = file.bases.iter().collect();
            of_symbols.sort_by_key(|base| base.enclosing);
            bases.push(of_symbols);
        }
        Self { files, by_path, names, bases, folders }
    }

    pub(super) fn file(&self, id: FileId) -> Option<&'input LinkFile> {
        self.files.get(id).copied()
    }

    pub(super) fn path(&self, id: FileId) -> &'input str {
        self.file(id).map_or("", |file| &file.path)
    }

    pub(super) fn find(&self, path: &str) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    pub(super) fn symbol(&self, file: FileId, ordinal: u32) -> Option<&'input LinkSymbol> {
        self.file(file)?.symbols.get(ordinal as usize)
    }

    /// Symbols of this name directly in a parent, or at the top, in order.
    pub(super) fn named(&self, file: FileId, parent: Option<u32>, name: &str) -> impl Iterator<Item = u32> {
        let names = self.names.get(file).map_or(&[][..], Vec::as_slice);
        let begin = names.partition_point(|(of, known, _)| (*of, *known) < (parent, name));
        let from_there = names.get(begin..).unwrap_or_default().iter();
        from_there.take_while(move |(of, known, _)| (*of, *known) == (parent, name)).map(|(.., ordinal)| *ordinal)
    }

    /// The mentions that name the bases of a symbol, in the order of the file.
    pub(super) fn bases(&self, file: FileId, symbol: u32) -> impl Iterator<Item = &'input Ref> {
        let bases = self.bases.get(file).map_or(&[][..], Vec::as_slice);
        let begin = bases.partition_point(|base| base.enclosing < Some(symbol));
        let from_there = bases.get(begin..).unwrap_or_default().iter();
        from_there.take_while(move |base| base.enclosing == Some(symbol)).copied()
    }

    /// The first symbol of this name in a parent that can be meant in this way.
    pub(super) fn fitting(&self, file: FileId, parent: Option<u32>, name: &str, kind: Option<RefKind>) -> Option<u32> {
        self.named(file, parent, name)
            .find(|ordinal| self.symbol(file, *ordinal).is_some_and(|symbol| fits(symbol.kind, kind)))
    }

    /// The symbol itself and those around it, innermost first.
    pub(super) fn around(&self, file: FileId, from: Option<u32>) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut at = from;
        while let Some(ordinal) = at {
            if chain.len() > 64 {
                break;
            }
            chain.push(ordinal);
            at = self.symbol(file, ordinal).and_then(|symbol| symbol.parent);
        }
        chain
    }

    pub(super) fn of_language(&self, wanted: &[Language]) -> impl Iterator<Item = (FileId, &'input LinkFile)> + '_ {
        let wanted = wanted.to_vec();
        self.files
            .iter()
            .enumerate()
            .filter(move |(_, file)| wanted.contains(&file.language))
            .map(|(id, file)| (id, *file))
    }
}

/// Whether a symbol of this kind can be meant; `None` for an import, which can mean anything.
pub(super) fn fits(kind: SymbolKind, mention: Option<RefKind>) -> bool {
    match mention {
        None => kind != SymbolKind::Impl,
        Some(RefKind::Call) => {
            kind.is_callable()
                || matches!(kind, SymbolKind::Class | SymbolKind::Struct | SymbolKind::Enum | SymbolKind::EnumMember)
                || matches!(kind, SymbolKind::Constant | SymbolKind::Variable)
        }
        Some(RefKind::Type | RefKind::Extends | RefKind::Implements) => kind.is_type(),
    }
}

/// The directory of a path; empty for the root.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path in a folder, where the root is empty.
pub(super) fn join(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, path) => format!("{folder}/{path}"),
    }
}

/// A relative path from a folder, with `.` and `..` worked out; `None` if it leaves the repository.
pub(super) fn relative(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The folders of a path from its own up to the root.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(folder(path));
    std::iter::from_fn(move || {
        let current = next?;
        next = if current.is_empty() { None } else { Some(folder(current)) };
        Some(current)
    })
}
