//! What linking takes: what names can mean, held for the whole snapshot, and what files mention, one after the other.

use crate::{Category, FileAnalysis, ImportKind, ImportedName, Language, Manifest, Ref, SymbolKind, parse_manifest};

/// What linking needs of one file, save what it mentions. Skipped and binary files belong here too: they are part of
/// their module.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkFile {
    /// Path in the repository.
    pub path: String,
    /// As analysed.
    pub language: Language,
    /// As analysed.
    pub category: Category,
    /// If it is a package manifest.
    pub manifest: Option<Manifest>,
    /// In order of their ordinals.
    pub symbols: Vec<LinkSymbol>,
    /// In the order of the file.
    pub imports: Vec<LinkImport>,
    /// The mentions that name the bases of a symbol ([`Ref::names_base`]): whoever mentions a member asks for them.
    pub bases: Vec<Ref>,
}

/// What linking needs of a [`Symbol`](crate::Symbol), as small as it can be: a large snapshot has a million of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSymbol {
    /// Ordinal of the symbol it belongs to.
    pub parent: Option<u32>,
    /// What it is.
    pub kind: SymbolKind,
    /// Its own name.
    pub name: Box<str>,
    /// Of methods and modules their name with those around it, which may stand in another file; of others nothing.
    pub qualified: Box<str>,
    /// Whether it stands for the file itself ([`Symbol::is_file`](crate::Symbol::is_file)).
    pub is_file: bool,
}

/// What linking needs of an [`Import`](crate::Import).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkImport {
    /// What is imported from.
    pub module: String,
    /// The names taken out of it.
    pub names: Vec<ImportedName>,
    /// What kind of statement it is.
    pub kind: ImportKind,
    /// Its line, from 1.
    pub line: u32,
}

/// All that one file mentions, bases included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRefs {
    /// The file.
    pub path: String,
    /// As analysed.
    pub refs: Vec<Ref>,
}

impl LinkFile {
    /// Divides an analysis into what is held for the whole snapshot and what passes by.
    #[must_use]
    pub fn of(path: &str, analysis: FileAnalysis) -> (Self, FileRefs) {
        let file = Self {
            path: path.to_owned(),
            language: analysis.language,
            category: analysis.category,
            manifest: parse_manifest(path, &analysis.text),
            symbols: analysis
                .symbols
                .into_iter()
                .map(|symbol| LinkSymbol {
                    is_file: symbol.is_file(),
                    parent: symbol.parent,
                    kind: symbol.kind,
                    name: symbol.name.into(),
                    qualified: match symbol.kind {
                        SymbolKind::Method | SymbolKind::Module => symbol.qualified.into(),
                        _ => Box::default(),
                    },
                })
                .collect(),
            imports: analysis
                .imports
                .into_iter()
                .map(|import| LinkImport {
                    module: import.module,
                    names: import.names,
                    kind: import.kind,
                    line: import.line,
                })
                .collect(),
            bases: analysis.refs.iter().filter(|mention| mention.names_base()).cloned().collect(),
        };
        (file, FileRefs { path: path.to_owned(), refs: analysis.refs })
    }
}
