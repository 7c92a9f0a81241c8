//! Go.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::doc;
use super::nodes::{chain, children_of_field, field, inside, named_children};
use super::walk::{Declared, Speaker, Step, Walk};
use crate::{ImportKind, ImportedName, RefKind, SymbolKind, Visibility};

const BUILTIN_TYPES: &[&str] = &[
    "any",
    "bool",
    "byte",
    "comparable",
    "complex64",
    "complex128",
    "error",
    "float32",
    "float64",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "rune",
    "string",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintptr",
];

const BUILTIN_FUNCTIONS: &[&str] = &[
    "append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max", "min", "new",
    "panic", "print", "println", "real", "recover",
];

#[derive(Default)]
pub(super) struct Go;

impl Speaker for Go {
    const SEPARATOR: &'static str = ".";

    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        match node.kind() {
            "package_clause" => package(walk, node),
            "import_spec" => import(walk, node),
            "function_declaration" => function(walk, node),
            "method_declaration" => method(walk, node),
            "func_literal" => walk.open_function(),
            // A declaration with one member has its comment above the keyword.
            "type_declaration" | "const_declaration" | "var_declaration" | "var_spec_list" => {
                walk.pass_lead = true;
            }
            "type_spec" | "type_alias" => type_spec(walk, node),
            "const_spec" => values(walk, node, SymbolKind::Constant),
            "var_spec" => values(walk, node, SymbolKind::Variable),
            "field_declaration" => struct_field(walk, node),
            "method_elem" => method_elem(walk, node),
            "type_elem" => embedded_interface(walk, node),
            "type_parameter_declaration" => {
                for name in children_of_field(node, "name") {
                    walk.type_parameter(name);
                }
            }
            "parameter_declaration" | "variadic_parameter_declaration" => {
                bind_names(walk, node, "name");
            }
            "short_var_declaration" | "range_clause" | "receive_statement" => {
                bind(walk, field(node, "left"));
            }
            "type_switch_statement" => bind(walk, field(node, "alias")),
            "call_expression" => call(walk, node),
            "qualified_type" => {
                if let (Some(package), Some(name)) = (field(node, "package"), field(node, "name")) {
                    let package = walk.name_of(package);
                    walk.mention(name, RefKind::Type, Some(package));
                }
                return Step::Skip;
            }
            "type_identifier" if !BUILTIN_TYPES.contains(&walk.text_of(node)) => {
                walk.mention(node, RefKind::Type, None);
            }
            _ => {}
        }
        Step::Descend
    }

    /// Methods belong to the type of their receiver, if it is declared here.
    fn finish(&mut self, walk: &mut Walk<'_>) {
        let types: BTreeMap<String, u32> = walk
            .out
            .symbols
            .iter()
            .filter(|symbol| symbol.parent.is_none() && symbol.kind.is_type())
            .map(|symbol| (symbol.name.clone(), symbol.ordinal))
            .collect();
        for symbol in &mut walk.out.symbols {
            if symbol.kind == SymbolKind::Method && symbol.parent.is_none() {
                symbol.parent = symbol.qualified.split_once('.').and_then(|(of, _)| types.get(of).copied());
            }
        }
    }
}

fn by_name(name: &str) -> (Visibility, bool) {
    if name.starts_with(char::is_uppercase) { (Visibility::Public, true) } else { (Visibility::Internal, false) }
}

fn comment(walk: &Walk<'_>, node: Node<'_>) -> String {
    doc::adjacent(walk.text, &walk.lead, node.start_position().row, "//")
}

fn package(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(name) = named_children(node).into_iter().next() else {
        return;
    };
    let name = walk.name_of(name);
    walk.import(node, &name, Vec::new(), ImportKind::Package);
    let text = comment(walk, node);
    let run = doc::adjacent_run(walk.text, &walk.lead, node.start_position().row);
    if let (Some(first), Some(last)) = (run.first().copied(), run.last().copied())
        && !text.starts_with("Code generated")
    {
        walk.declare_file(first, last, text);
    }
}

fn import(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(path) = field(node, "path") else {
        return;
    };
    let path = walk.text_of(path).trim_matches(['"', '`']).to_owned();
    let (names, kind) = match field(node, "name").map(|name| walk.text_of(name)) {
        None => (Vec::new(), ImportKind::Import),
        Some("_") => (Vec::new(), ImportKind::SideEffect),
        Some(".") => (vec![ImportedName { name: "*".to_owned(), alias: None }], ImportKind::Import),
        Some(alias) => {
            (vec![ImportedName { name: "self".to_owned(), alias: Some(alias.to_owned()) }], ImportKind::Import)
        }
    };
    walk.import(node, &path, names, kind);
}

fn head_end(node: Node<'_>) -> usize {
    field(node, "body").map_or(node.end_byte(), |body| body.start_byte())
}

fn function<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    let name = walk.name_of(name);
    let (visibility, exported) = by_name(&name);
    let doc = comment(walk, node);
    let signature = (node.start_byte(), head_end(node));
    let kind = SymbolKind::Function;
    if walk.open(Declared { node, kind, name, word: "func", visibility, exported, signature, doc }).is_none() {
        walk.open_function();
    }
    walk.mark_function();
}

fn method<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    let name = walk.name_of(name);
    let receiver = field(node, "receiver").and_then(|list| named_children(list).into_iter().next());
    let mut of = None;
    if let Some(of_type) = receiver.and_then(|receiver| field(receiver, "type")) {
        inside(of_type, |inner| {
            if of.is_none() && inner.kind() == "type_identifier" {
                of = Some(walk.text_of(inner));
            }
            of.is_none()
        });
    }
    let (visibility, exported) = by_name(&name);
    let doc = comment(walk, node);
    let signature = (node.start_byte(), head_end(node));
    let reachable = exported && of.is_some_and(|of| by_name(of).1);
    let qualified = of.map(|of| format!("{of}.{name}"));
    let kind = SymbolKind::Method;
    let declared = Declared { node, kind, name, word: "func", visibility, exported: reachable, signature, doc };
    if walk.open(declared).is_some() {
        if let (Some(qualified), Some(symbol)) = (qualified, walk.out.symbols.last_mut()) {
            symbol.qualified.clone_from(&qualified);
            if let Some(scope) = walk.out.scopes.last_mut() {
                scope.label = format!("func {qualified}");
            }
            walk.set_prefix(&qualified);
        }
    } else {
        walk.open_function();
    }
    walk.mark_function();
    if let Some(this) = receiver.and_then(|receiver| field(receiver, "name")) {
        let this = walk.text_of(this);
        walk.set_this(this);
    }
}

fn type_spec<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name").filter(|_| !walk.in_function()) else {
        return;
    };
    walk.not_a_mention(name);
    let of = field(node, "type");
    let kind = match of.map(|of| of.kind()) {
        Some("struct_type") => SymbolKind::Struct,
        Some("interface_type") => SymbolKind::Interface,
        _ => SymbolKind::TypeAlias,
    };
    let end = match of.filter(|_| kind != SymbolKind::TypeAlias) {
        Some(of) => {
            let brace = walk.text_of(of).find('{').unwrap_or(0);
            of.start_byte() + brace
        }
        None => node.end_byte(),
    };
    let name = walk.name_of(name);
    let (visibility, exported) = by_name(&name);
    let doc = comment(walk, node);
    let signature = (node.start_byte(), end);
    if walk.open(Declared { node, kind, name, word: "type", visibility, exported, signature, doc }).is_some() {
        walk.prefix_signature(node, "type");
    }
}

fn values<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, kind: SymbolKind) {
    if walk.in_function() {
        bind_names(walk, node, "name");
        return;
    }
    let doc = comment(walk, node);
    let end = match field(node, "value") {
        Some(value) if node.end_byte() - node.start_byte() > 160 => {
            let before = walk.text.get(node.start_byte()..value.start_byte()).unwrap_or_default();
            node.start_byte() + before.trim_end_matches(['=', ' ', '\t', '\n', '\r']).len()
        }
        _ => node.end_byte(),
    };
    for name in children_of_field(node, "name").into_iter().filter(|name| name.kind() == "identifier") {
        let name = walk.name_of(name);
        if name == "_" {
            continue;
        }
        let (visibility, exported) = by_name(&name);
        let signature = (node.start_byte(), end);
        let keyword = if kind == SymbolKind::Constant { "const" } else { "var" };
        if walk
            .declare(Declared { node, kind, name, word: "", visibility, exported, signature, doc: doc.clone() })
            .is_some()
        {
            walk.prefix_signature(node, keyword);
        }
    }
}

fn struct_field<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    if !walk.in_type() {
        return;
    }
    let doc = comment(walk, node);
    let names = children_of_field(node, "name");
    if names.is_empty() {
        if let Some(of) = field(node, "type") {
            mention_type(walk, of, RefKind::Extends);
        }
        return;
    }
    let end = field(node, "type").map_or(node.end_byte(), |of| of.end_byte());
    for name in names {
        let name = walk.name_of(name);
        let (visibility, exported) = by_name(&name);
        let kind = SymbolKind::Field;
        let signature = (node.start_byte(), end);
        walk.declare(Declared { node, kind, name, word: "", visibility, exported, signature, doc: doc.clone() });
    }
}

fn method_elem<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name").filter(|_| walk.in_type()) else {
        return;
    };
    let name = walk.name_of(name);
    let (visibility, exported) = by_name(&name);
    let doc = comment(walk, node);
    let signature = (node.start_byte(), node.end_byte());
    let kind = SymbolKind::Method;
    walk.declare(Declared { node, kind, name, word: "", visibility, exported, signature, doc });
}

fn embedded_interface(walk: &mut Walk<'_>, node: Node<'_>) {
    let is_embedding = walk.is_in(SymbolKind::Interface);
    if let ([of], true) = (named_children(node).as_slice(), is_embedding) {
        mention_type(walk, *of, RefKind::Extends);
    }
}

fn mention_type(walk: &mut Walk<'_>, node: Node<'_>, kind: RefKind) {
    match node.kind() {
        "type_identifier" if !BUILTIN_TYPES.contains(&walk.text_of(node)) => {
            walk.mention(node, kind, None);
        }
        "qualified_type" => {
            if let (Some(package), Some(name)) = (field(node, "package"), field(node, "name")) {
                let package = walk.name_of(package);
                walk.mention(name, kind, Some(package));
            }
        }
        "generic_type" => {
            if let Some(of) = field(node, "type") {
                mention_type(walk, of, kind);
            }
        }
        _ => {}
    }
}

fn call(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(function) = field(node, "function") else {
        return;
    };
    match function.kind() {
        "identifier" if !BUILTIN_FUNCTIONS.contains(&walk.text_of(function)) => {
            walk.mention(function, RefKind::Call, None);
        }
        "selector_expression" => {
            let (Some(operand), Some(name)) = (field(function, "operand"), field(function, "field")) else {
                return;
            };
            if let Some(receiver) = chain(walk.text, operand) {
                walk.mention(name, RefKind::Call, Some(receiver));
            }
        }
        _ => {}
    }
}

fn bind_names<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, name: &str) {
    for name in children_of_field(node, name) {
        let name = walk.text_of(name);
        walk.local(name);
    }
}

fn bind<'tree>(walk: &mut Walk<'tree>, target: Option<Node<'tree>>) {
    for name in target.map(named_children).unwrap_or_default() {
        if name.kind() == "identifier" {
            let name = walk.text_of(name);
            walk.local(name);
        }
    }
}
