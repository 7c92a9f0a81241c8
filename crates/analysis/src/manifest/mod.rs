//! What package manifests say: names, versions, dependencies and entry points, each with its line.

mod cargo;
mod gomod;
mod maven;
mod npm;
mod pyproject;
mod spans;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most dependencies and entry points kept of one manifest.
const MAX_ENTRIES: usize = 2_000;

/// A package manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which format.
    pub kind: ManifestKind,
    /// The package's own name, as imports write it where the format has one (`go.mod`: the module path; Maven:
    /// `group:artifact`). A Cargo workspace without a package has none.
    pub name: Option<String>,
    /// One sentence by its authors.
    pub description: Option<String>,
    /// Version as written.
    pub version: Option<String>,
    /// Licence expression as written.
    pub licence: Option<String>,
    /// Names of direct dependencies of every kind, sorted, without duplicates.
    pub dependencies: Vec<String>,
    /// Cargo: dependencies that code names differently, from the manifest's key to the package's own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<String, String>,
    /// What can be run or imported, in order of line.
    pub entry_points: Vec<EntryPoint>,
    /// Line of the name, from 1.
    pub name_line: Option<u32>,
}

impl Manifest {
    fn new(kind: ManifestKind) -> Self {
        Self {
            kind,
            name: None,
            description: None,
            version: None,
            licence: None,
            dependencies: Vec::new(),
            renamed: BTreeMap::new(),
            entry_points: Vec::new(),
            name_line: None,
        }
    }

    fn finish(mut self) -> Self {
        self.dependencies.sort();
        self.dependencies.dedup();
        self.dependencies.truncate(MAX_ENTRIES);
        while self.renamed.len() > MAX_ENTRIES {
            self.renamed.pop_last();
        }
        self.entry_points.sort_by(|left, right| (left.line, &left.name).cmp(&(right.line, &right.name)));
        self.entry_points.truncate(MAX_ENTRIES);
        self
    }
}

/// Which format a manifest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestKind {
    /// `Cargo.toml`
    Cargo,
    /// `package.json`
    Npm,
    /// `pyproject.toml`
    PyProject,
    /// `go.mod`
    GoMod,
    /// `pom.xml`
    Maven,
}

impl ManifestKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::PyProject => "pyproject",
            Self::GoMod => "go_mod",
            Self::Maven => "maven",
        }
    }
}

/// Something a package offers to be run or imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// Name of the command, script or library.
    pub name: String,
    /// How it is offered.
    pub kind: EntryPointKind,
    /// What it runs: a path relative to the manifest, `module:function`, or a command line. May be empty.
    pub target: String,
    /// Line in the manifest, from 1.
    pub line: u32,
}

/// How an entry point is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryPointKind {
    /// A program.
    Binary,
    /// A library's root.
    Library,
    /// A script run by the package manager.
    Script,
}

impl EntryPointKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Library => "library",
            Self::Script => "script",
        }
    }
}

/// Reads a manifest, if the file name is one of those known and the text can be understood.
#[must_use]
pub fn parse_manifest(path: &str, text: &str) -> Option<Manifest> {
    if text.len() > crate::MAX_PARSE_BYTES {
        return None;
    }
    let manifest = match path.rsplit('/').next()? {
        "Cargo.toml" => cargo::parse(text)?,
        "package.json" => npm::parse(text)?,
        "pyproject.toml" => pyproject::parse(text)?,
        "go.mod" => gomod::parse(text)?,
        "pom.xml" => maven::parse(text)?,
        _ => return None,
    };
    Some(manifest.finish())
}
