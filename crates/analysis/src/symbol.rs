//! What a file declares, imports and mentions.

use serde::{Deserialize, Serialize};

/// Something a file declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// Position in the file, from 0, in order of `start_byte`.
    pub ordinal: u32,
    /// Ordinal of the symbol it belongs to.
    pub parent: Option<u32>,
    /// What it is.
    pub kind: SymbolKind,
    /// Its own name.
    pub name: String,
    /// Its name with those around it in the file, joined the way the language does (`Foo::bar`, `Foo.bar`).
    pub qualified: String,
    /// The declaration without its body, on one line, at most 400 characters.
    pub signature: String,
    /// First paragraph of its documentation without comment markers; may be empty.
    pub doc: String,
    /// Who may name it, as far as the file says.
    pub visibility: Visibility,
    /// Whether other files can reach it: itself public, and everything around it too.
    pub exported: bool,
    /// First line of the declaration (not of its comment), from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// First byte in the file's text.
    pub start_byte: u32,
    /// One past the last byte.
    pub end_byte: u32,
}

impl Symbol {
    /// Whether it stands for its file (a module's documentation) and cannot be named from inside.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == SymbolKind::Module && self.signature.is_empty()
    }
}

/// What a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name is the languages' own word")]
pub enum SymbolKind {
    Module,
    Namespace,
    Class,
    Struct,
    Union,
    Enum,
    EnumMember,
    Interface,
    Trait,
    Impl,
    Function,
    Method,
    Constructor,
    Field,
    Property,
    Constant,
    Variable,
    TypeAlias,
    Macro,
    Annotation,
    Heading,
}

impl SymbolKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Namespace => "namespace",
            Self::Class => "class",
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Enum => "enum",
            Self::EnumMember => "enum_member",
            Self::Interface => "interface",
            Self::Trait => "trait",
            Self::Impl => "impl",
            Self::Function => "function",
            Self::Method => "method",
            Self::Constructor => "constructor",
            Self::Field => "field",
            Self::Property => "property",
            Self::Constant => "constant",
            Self::Variable => "variable",
            Self::TypeAlias => "type_alias",
            Self::Macro => "macro",
            Self::Annotation => "annotation",
            Self::Heading => "heading",
        }
    }

    /// Whether it has members of its own that are named through it.
    #[must_use]
    pub fn is_type(self) -> bool {
        matches!(
            self,
            Self::Class
                | Self::Struct
                | Self::Union
                | Self::Enum
                | Self::Interface
                | Self::Trait
                | Self::TypeAlias
                | Self::Annotation
        )
    }

    /// Whether it has a body that runs.
    #[must_use]
    pub fn is_callable(self) -> bool {
        matches!(self, Self::Function | Self::Method | Self::Constructor | Self::Macro)
    }
}

/// Who may name a symbol, as far as its file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The same crate, package, or subclasses.
    Internal,
    /// The same file or type.
    Private,
}

impl Visibility {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Private => "private",
        }
    }
}

/// A statement that brings something of another file into this one, or passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The statement on one line, at most 400 characters.
    pub raw: String,
    /// What is imported from, in the language's own notation (`crate::a::b`, `..pkg.mod`, `./util`, `example.org/m/pkg`).
    /// Empty for a local export.
    pub module: String,
    /// The names taken out of it; empty if the module itself is bound. `*` stands for all.
    pub names: Vec<ImportedName>,
    /// What kind of statement it is.
    pub kind: ImportKind,
    /// Line of the statement, from 1.
    pub line: u32,
}

/// One name of an import.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImportedName {
    /// The name in the module it comes from; `*` for all, `default` for a default export, `self` for the module itself.
    pub name: String,
    /// The name it gets here, if that is another one.
    pub alias: Option<String>,
}

impl ImportedName {
    /// The name by which this file knows it.
    #[must_use]
    pub fn local(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// What kind of statement an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// An ordinary import.
    Import,
    /// Types only; gone at run time.
    TypeOnly,
    /// Passed on to whoever imports this file; with an empty module, a local name given out under another one.
    Reexport,
    /// Rust's `mod name;`.
    Mod,
    /// Loaded by an expression (`require("x")`, `import("x")`).
    Dynamic,
    /// For its effect only; nothing is bound.
    SideEffect,
    /// The file's own package clause (Go, Java).
    Package,
}

impl ImportKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::TypeOnly => "type_only",
            Self::Reexport => "reexport",
            Self::Mod => "mod",
            Self::Dynamic => "dynamic",
            Self::SideEffect => "side_effect",
            Self::Package => "package",
        }
    }
}

/// A mention of something that may be declared elsewhere.
///
/// Mentions that no import or scope could resolve (of a local variable, or through an expression) are not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// The last part of what is mentioned.
    pub name: String,
    /// What stands before it (`self`, `module.Class`, `crate::a`), as written, without whitespace.
    pub receiver: Option<String>,
    /// How it is mentioned.
    pub kind: RefKind,
    /// Ordinal of the innermost symbol around the mention.
    pub enclosing: Option<u32>,
    /// Line of the first such mention, from 1.
    pub line: u32,
    /// How many such mentions there are.
    pub count: u32,
}

impl Ref {
    /// Whether it names a base of the symbol around it: what may be inherited from there is looked up through it.
    #[must_use]
    pub fn names_base(&self) -> bool {
        self.enclosing.is_some() && matches!(self.kind, RefKind::Extends | RefKind::Implements)
    }
}

/// How something is mentioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefKind {
    /// Called, constructed or expanded.
    Call,
    /// Named as a type.
    Type,
    /// Named as a base.
    Extends,
    /// Named as an implemented interface or trait.
    Implements,
}

impl RefKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Type => "type",
            Self::Extends => "extends",
            Self::Implements => "implements",
        }
    }
}
