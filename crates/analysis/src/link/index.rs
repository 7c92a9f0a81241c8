//! What can be looked up in a snapshot: files by path and symbols by name.

use std::collections::{BTreeMap, HashMap};

use super::LinkFile;
use crate::{Language, RefKind, Symbol, SymbolKind};

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

/// Ordinals of a file's symbols by parent and name.
type Names<'input> = HashMap<(Option<u32>, &'input str), Vec<u32>>;

/// The files of a snapshot, in order of path.
pub(super) struct Index<'input> {
    pub(super) files: Vec<&'input LinkFile>,
    by_path: HashMap<&'input str, FileId>,
    /// Per file: ordinals by parent and name.
    names: Vec<Names<'input>>,
    /// Per file: positions of the mentions that name the bases of a symbol.
    bases: Vec<HashMap<u32, Vec<usize>>>,
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
            let mut in_file: Names<'_> = HashMap::new();
            for (ordinal, symbol) in file.symbols.iter().enumerate() {
                // The file's own module symbol cannot be named from inside.
                let is_file = symbol.kind == SymbolKind::Module && symbol.signature.is_empty();
                if !is_file && symbol.kind != SymbolKind::Heading {
                    in_file.entry((symbol.parent, &symbol.name)).or_default().push(crate::text::clamp(ordinal));
                }
            }
            names.push(in_file);
            let mut of_symbols: HashMap<u32, Vec<usize>> = HashMap::new();
            for (at, mention) in file.refs.iter().enumerate() {
                if let (Some(symbol), RefKind::Extends | RefKind::Implements) = (mention.enclosing, mention.kind) {
                    of_symbols.entry(symbol).or_default().push(at);
                }
            }
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

    pub(super) fn symbol(&self, file: FileId, ordinal: u32) -> Option<&'input Symbol> {
        self.file(file)?.symbols.get(ordinal as usize)
    }

    /// Symbols of this name directly in a parent, or at the top.
    pub(super) fn named<'call>(&'call self, file: FileId, parent: Option<u32>, name: &'call str) -> &'call [u32] {
        self.names.get(file).and_then(|names| names.get(&(parent, name))).map_or(&[], Vec::as_slice)
    }

    pub(super) fn bases(&self, file: FileId, symbol: u32) -> &[usize] {
        self.bases.get(file).and_then(|bases| bases.get(&symbol)).map_or(&[], Vec::as_slice)
    }

    /// The first symbol of this name in a parent that can be meant in this way.
    pub(super) fn fitting(&self, file: FileId, parent: Option<u32>, name: &str, kind: Option<RefKind>) -> Option<u32> {
        let fits = |ordinal: &&u32| self.symbol(file, **ordinal).is_some_and(|symbol| fits(symbol.kind, kind));
        self.named(file, parent, name).iter().find(fits).copied()
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
