//! Python.

use std::collections::{BTreeSet, HashSet};

use tree_sitter::Node;

use super::doc;
use super::nodes::{chain, children_of_field, field, head, inside, named_children};
use super::walk::{Declared, Speaker, Step, Trivia, Walk};
use crate::{ImportKind, ImportedName, RefKind, SymbolKind, Visibility};

/// Never declared in the repository under these names.
const BUILTINS: &[&str] = &[
    "bool",
    "bytes",
    "dict",
    "float",
    "frozenset",
    "int",
    "isinstance",
    "len",
    "list",
    "None",
    "object",
    "print",
    "range",
    "set",
    "str",
    "super",
    "tuple",
    "type",
];

/// Bases that make a class an enumeration.
const ENUM_BASES: &[&str] = &["Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"];

#[derive(Default)]
pub(super) struct Python {
    /// What `__all__` lists, if it is there.
    all: Option<BTreeSet<String>>,
    /// Variables of the module and of classes already recorded, by qualified name.
    assigned: HashSet<String>,
}

impl Speaker for Python {
    const SEPARATOR: &'static str = ".";

    fn trivia(&self, kind: &str) -> Trivia {
        match kind {
            "comment" => Trivia::Comment,
            "decorator" => Trivia::Attribute,
            _ => Trivia::No,
        }
    }

    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        match node.kind() {
            "module" => {
                if let Some(literal) = docstring(node) {
                    walk.declare_file(literal, literal, doc::docstring(walk.text_of(literal)));
                }
            }
            "decorated_definition" => walk.pass_lead = true,
            "function_definition" => function(walk, node),
            "class_definition" => class(walk, node),
            "lambda" => {
                walk.open_function();
                if let Some(parameters) = field(node, "parameters") {
                    bind(walk, parameters);
                }
            }
            "assignment" => self.assignment(walk, node),
            "augmented_assignment" => self.extend_all(walk, node),
            "type_alias_statement" => type_alias(walk, node),
            "for_statement" | "for_in_clause" => bind_field(walk, node, "left"),
            "named_expression" => bind_field(walk, node, "name"),
            "as_pattern_target" => bind(walk, node),
            "import_statement" | "future_import_statement" | "import_from_statement" => {
                import(walk, node);
                return Step::Skip;
            }
            "call" => call(walk, node),
            "decorator" => {
                if let Some(name) = named_children(node).first().filter(|name| name.kind() != "call") {
                    mention(walk, *name, RefKind::Call);
                }
            }
            "type" => {
                types(walk, node);
                return Step::Skip;
            }
            _ => {}
        }
        Step::Descend
    }

    fn finish(&mut self, walk: &mut Walk<'_>) {
        let Some(all) = &self.all else { return };
        let mut exported: Vec<bool> = Vec::with_capacity(walk.out.symbols.len());
        for symbol in &mut walk.out.symbols {
            let is_file = symbol.kind == SymbolKind::Module;
            symbol.exported = match symbol.parent {
                None if is_file => false,
                None => all.contains(&symbol.name),
                Some(parent) => symbol.exported && exported.get(parent as usize).copied().unwrap_or(false),
            };
            if symbol.parent.is_none() && symbol.exported {
                symbol.visibility = Visibility::Public;
            }
            exported.push(symbol.exported);
        }
    }
}

impl Python {
    fn assignment<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        let Some(left) = field(node, "left") else {
            return;
        };
        if walk.in_function() {
            bind(walk, left);
            return;
        }
        if left.kind() != "identifier" {
            return;
        }
        let name = walk.name_of(left);
        if name == "__all__" {
            self.extend_all(walk, node);
            return;
        }
        if name.starts_with("__") && name.ends_with("__") {
            return;
        }
        if !self.assigned.insert(walk.qualified(&name)) {
            return;
        }
        let kind = match walk.frames.last().and_then(|frame| frame.kind) {
            Some(SymbolKind::Enum) => SymbolKind::EnumMember,
            Some(_) => SymbolKind::Field,
            None if is_constant_name(&name) => SymbolKind::Constant,
            None => SymbolKind::Variable,
        };
        let end = match field(node, "right") {
            Some(right) if node.end_byte() - node.start_byte() > 120 => {
                field(node, "type").map_or(left.end_byte(), |of| of.end_byte()).min(right.start_byte())
            }
            _ => node.end_byte(),
        };
        let (visibility, exported) = by_name(&name);
        let doc = doc::adjacent(walk.text, &walk.lead, node.start_position().row, "#:");
        walk.declare(Declared {
            node,
            kind,
            name,
            word: "",
            visibility,
            exported,
            signature: (node.start_byte(), end),
            doc,
        });
    }

    fn extend_all(&mut self, walk: &Walk<'_>, node: Node<'_>) {
        let is_all = field(node, "left").is_some_and(|left| walk.text_of(left) == "__all__") && walk.frames.is_empty();
        let Some(right) = field(node, "right").filter(|_| is_all) else {
            return;
        };
        let all = self.all.get_or_insert_default();
        inside(right, |inner| {
            if inner.kind() == "string_content" {
                all.insert(walk.name_of(inner));
            }
            true
        });
    }
}

fn is_constant_name(name: &str) -> bool {
    name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase)
}

fn by_name(name: &str) -> (Visibility, bool) {
    let is_dunder = name.starts_with("__") && name.ends_with("__");
    if is_dunder || !name.starts_with('_') {
        (Visibility::Public, true)
    } else if name.starts_with("__") {
        (Visibility::Private, false)
    } else {
        (Visibility::Internal, false)
    }
}

/// The string that a body starts with.
fn docstring<'tree>(body: Node<'tree>) -> Option<Node<'tree>> {
    let mut cursor = body.walk();
    let first = body.named_children(&mut cursor).find(|child| child.kind() != "comment")?;
    let literal = if first.kind() == "expression_statement" { first.named_child(0)? } else { first };
    (literal.kind() == "string").then_some(literal)
}

fn head_end(walk: &Walk<'_>, node: Node<'_>) -> usize {
    let end = field(node, "body").map_or(node.end_byte(), |body| body.start_byte());
    let text = walk.text.get(node.start_byte()..end).unwrap_or_default();
    // Comments may stand between the colon and the body.
    let mut line_end = text.len();
    for line in text.lines().rev() {
        let is_comment = line.trim_start().starts_with('#') || line.trim().is_empty();
        if !is_comment {
            break;
        }
        line_end = line_end.min(line.as_ptr() as usize - text.as_ptr() as usize);
    }
    let head = text.get(..line_end).unwrap_or(text).trim_end();
    node.start_byte() + head.strip_suffix(':').unwrap_or(head).len()
}

fn function<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    let decorators: Vec<&str> =
        walk.lead.iter().map(|lead| walk.text_of(*lead)).filter(|lead| lead.starts_with('@')).collect();
    let has = |wanted: &str| decorators.iter().any(|decorator| decorator.trim_start_matches('@').trim() == wanted);
    let is_method = walk.in_type();
    let kind = match is_method {
        true if has("property") || has("cached_property") || has("functools.cached_property") => SymbolKind::Property,
        true => SymbolKind::Method,
        false => SymbolKind::Function,
    };
    let is_static = has("staticmethod");
    let text = walk.name_of(name);
    let (visibility, exported) = by_name(&text);
    let doc = field(node, "body")
        .and_then(docstring)
        .map(|literal| doc::docstring(walk.text_of(literal)))
        .unwrap_or_default();
    let signature = (node.start_byte(), head_end(walk, node));
    let opened = walk.open(Declared { node, kind, name: text, word: "def", visibility, exported, signature, doc });
    if opened.is_none() {
        walk.open_function();
    }
    walk.mark_function();
    let Some(parameters) = field(node, "parameters") else {
        return;
    };
    if is_method
        && !is_static
        && let Some(first) = parameters.named_child(0)
        && first.kind() == "identifier"
    {
        let this = walk.text_of(first);
        walk.set_this(this);
    }
    bind(walk, parameters);
}

fn class<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    let bases: Vec<Node<'tree>> = field(node, "superclasses").map(named_children).unwrap_or_default();
    let is_enum =
        bases.iter().any(|base| ENUM_BASES.contains(&walk.text_of(*base).rsplit('.').next().unwrap_or_default()));
    let kind = if is_enum { SymbolKind::Enum } else { SymbolKind::Class };
    let text = walk.name_of(name);
    let (visibility, exported) = by_name(&text);
    let doc = field(node, "body")
        .and_then(docstring)
        .map(|literal| doc::docstring(walk.text_of(literal)))
        .unwrap_or_default();
    let signature = (node.start_byte(), head_end(walk, node));
    if walk.open(Declared { node, kind, name: text, word: "class", visibility, exported, signature, doc }).is_some() {
        for base in bases {
            let base = if base.kind() == "subscript" { field(base, "value").unwrap_or(base) } else { base };
            mention(walk, base, RefKind::Extends);
        }
    }
}

fn type_alias<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(left) = field(node, "left").filter(|_| !walk.in_function()) else {
        return;
    };
    let name = head(walk.text_of(left).split('[').next().unwrap_or_default()).trim().to_owned();
    let (visibility, exported) = by_name(&name);
    let signature = (node.start_byte(), node.end_byte());
    let kind = SymbolKind::TypeAlias;
    walk.declare(Declared { node, kind, name, word: "", visibility, exported, signature, doc: String::new() });
}

/// Mentions a name or the last part of a dotted chain.
fn mention(walk: &mut Walk<'_>, node: Node<'_>, kind: RefKind) {
    match node.kind() {
        "identifier" if !BUILTINS.contains(&walk.text_of(node)) => walk.mention(node, kind, None),
        "attribute" => {
            let (Some(object), Some(name)) = (field(node, "object"), field(node, "attribute")) else {
                return;
            };
            let of_super =
                object.kind() == "call" && field(object, "function").is_some_and(|of| walk.text_of(of) == "super");
            let receiver = if of_super { Some("super".to_owned()) } else { chain(walk.text, object) };
            if receiver.is_some() {
                walk.mention(name, kind, receiver);
            }
        }
        _ => {}
    }
}

fn call(walk: &mut Walk<'_>, node: Node<'_>) {
    if let Some(function) = field(node, "function") {
        mention(walk, function, RefKind::Call);
    }
}

fn types(walk: &mut Walk<'_>, node: Node<'_>) {
    let mut found = Vec::new();
    inside(node, |inner| {
        let is_name = matches!(inner.kind(), "identifier" | "attribute");
        if is_name {
            found.push(inner);
        }
        !is_name
    });
    for name in found {
        mention(walk, name, RefKind::Type);
    }
}

fn bind_field<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, name: &str) {
    if let Some(target) = field(node, name) {
        bind(walk, target);
    }
}

/// Remembers the names a target or a parameter list binds.
fn bind<'tree>(walk: &mut Walk<'tree>, target: Node<'tree>) {
    let mut names = Vec::new();
    inside(target, |node| match node.kind() {
        "identifier" => {
            names.push(walk.text_of(node));
            false
        }
        "attribute" | "subscript" | "type" | "call" => false,
        "default_parameter" | "typed_default_parameter" => {
            if let Some(name) = field(node, "name").filter(|name| name.kind() == "identifier") {
                names.push(walk.text_of(name));
            }
            false
        }
        _ => true,
    });
    for name in names {
        walk.local(name);
    }
}

fn import(walk: &mut Walk<'_>, node: Node<'_>) {
    let mut names = Vec::new();
    for name in children_of_field(node, "name") {
        let (path, alias) = match name.kind() {
            "aliased_import" => (field(name, "name"), field(name, "alias")),
            _ => (Some(name), None),
        };
        if let Some(path) = path.and_then(|path| chain(walk.text, path)) {
            names.push(ImportedName { name: path, alias: alias.map(|alias| walk.name_of(alias)) });
        }
    }
    match node.kind() {
        "import_statement" => {
            for ImportedName { name: module, alias } in names {
                let bound = alias.map(|alias| ImportedName { name: "self".to_owned(), alias: Some(alias) });
                walk.import(node, &module, bound.into_iter().collect(), ImportKind::Import);
            }
        }
        "import_from_statement" => {
            let Some(module) = field(node, "module_name").and_then(|module| chain(walk.text, module)) else {
                return;
            };
            if named_children(node).iter().any(|child| child.kind() == "wildcard_import") {
                names.push(ImportedName { name: "*".to_owned(), alias: None });
            }
            walk.import(node, &module, names, ImportKind::Import);
        }
        _ => walk.import(node, "__future__", names, ImportKind::Import),
    }
}
