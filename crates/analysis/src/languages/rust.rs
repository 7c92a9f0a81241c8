//! Rust.

use tree_sitter::Node;

use super::doc;
use super::nodes::{chain, early_child, field, head, inside, named_children};
use super::rust_use;
use super::walk::{Declared, Speaker, Step, Trivia, Walk};
use crate::{ImportKind, RefKind, SymbolKind, Visibility};

/// Macros of the standard library: never declared in the repository under these names.
const STD_MACROS: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "column",
    "compile_error",
    "concat",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include",
    "include_bytes",
    "include_str",
    "line",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "stringify",
    "thread_local",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

#[derive(Default)]
pub(super) struct Rust {
    /// The file's own `//!` comment is looked for until something else comes.
    past_head: bool,
}

impl Speaker for Rust {
    const SEPARATOR: &'static str = "::";

    fn trivia(&self, kind: &str) -> Trivia {
        match kind {
            "line_comment" | "block_comment" => Trivia::Comment,
            "attribute_item" => Trivia::Attribute,
            _ => Trivia::No,
        }
    }

    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        let is_head = matches!(node.kind(), "source_file" | "shebang" | "attribute_item");
        if !self.past_head && !is_head && walk.is_top_level() {
            self.past_head = true;
            file_doc(walk);
        }
        match node.kind() {
            "function_item" | "function_signature_item" => function(walk, node),
            "struct_item" => type_item(walk, node, SymbolKind::Struct, "struct"),
            "union_item" => type_item(walk, node, SymbolKind::Union, "union"),
            "enum_item" => type_item(walk, node, SymbolKind::Enum, "enum"),
            "trait_item" => type_item(walk, node, SymbolKind::Trait, "trait"),
            "type_item" => leaf(walk, node, SymbolKind::TypeAlias, None),
            "associated_type" => leaf(walk, node, SymbolKind::TypeAlias, Some(Visibility::Public)),
            "enum_variant" => leaf(walk, node, SymbolKind::EnumMember, Some(Visibility::Public)),
            // The fields of a variant stand in the variant's signature.
            "field_declaration" if !walk.is_in(SymbolKind::Enum) => {
                leaf(walk, node, SymbolKind::Field, None);
            }
            "const_item" => value(walk, node, SymbolKind::Constant),
            "static_item" => value(walk, node, SymbolKind::Variable),
            "macro_definition" => macro_definition(walk, node),
            "mod_item" => module(walk, node),
            "impl_item" => implementation(walk, node),
            "use_declaration" => {
                rust_use::use_declaration(walk, node);
                return Step::Skip;
            }
            "extern_crate_declaration" => {
                rust_use::extern_crate(walk, node);
                return Step::Skip;
            }
            "closure_expression" => walk.open_function(),
            "parameter" | "let_declaration" | "let_condition" | "for_expression" => {
                if let Some(pattern) = field(node, "pattern") {
                    bind(walk, pattern);
                }
            }
            "closure_parameters" | "match_pattern" => bind(walk, node),
            "type_parameter" | "const_parameter" => {
                if let Some(name) = field(node, "name") {
                    walk.type_parameter(name);
                }
            }
            "call_expression" => call(walk, node),
            "macro_invocation" => macro_invocation(walk, node),
            "token_tree" => token_tree(walk, node),
            "type_identifier" if walk.text_of(node) != "Self" => {
                walk.mention(node, RefKind::Type, None);
            }
            "scoped_type_identifier" => {
                mention_path(walk, node, RefKind::Type);
                return Step::Skip;
            }
            "scoped_identifier" => {
                // `Kind::Variant` and `Type::CONSTANT` mention the type.
                if let Some(path) = field(node, "path")
                    && path.kind() == "identifier"
                    && is_type_name(walk.text_of(path))
                {
                    walk.mention(path, RefKind::Type, None);
                }
            }
            _ => {}
        }
        Step::Descend
    }
}

fn is_type_name(name: &str) -> bool {
    name != "Self" && name.starts_with(char::is_uppercase)
}

fn file_doc(walk: &mut Walk<'_>) {
    let comments: Vec<_> = walk.lead.iter().copied().filter(|node| is_inner_doc(walk.text_of(*node))).collect();
    if let (Some(first), Some(last)) = (comments.first(), comments.last()) {
        let text = lines_without(comments.iter().map(|node| walk.text_of(*node)), "//!");
        walk.declare_file(*first, *last, text);
    }
    // They are not about the first item.
    let text = walk.text;
    walk.lead.retain(|node| !is_inner_doc(super::nodes::text_of(text, *node)));
}

fn is_inner_doc(comment: &str) -> bool {
    comment.starts_with("//!") || comment.starts_with("/*!")
}

fn lines_without<'text>(comments: impl Iterator<Item = &'text str>, marker: &str) -> String {
    let mut lines = Vec::new();
    for comment in comments {
        if comment.starts_with("/*") {
            return doc::block(comment);
        }
        lines.extend(comment.lines().map(|line| line.strip_prefix(marker).unwrap_or(line)));
    }
    doc::paragraph(lines)
}

fn outer_doc(walk: &Walk<'_>) -> String {
    let comments = walk.lead.iter().map(|node| walk.text_of(*node));
    let is_doc = |comment: &&str| {
        (comment.starts_with("///") && !comment.starts_with("////"))
            || (comment.starts_with("/**") && comment.len() > 5)
    };
    lines_without(comments.filter(is_doc), "///")
}

fn visibility(walk: &Walk<'_>, node: Node<'_>) -> Visibility {
    match early_child(node, "visibility_modifier").map(|modifier| walk.text_of(modifier)) {
        Some("pub") => Visibility::Public,
        Some(_) => Visibility::Internal,
        None => Visibility::Private,
    }
}

fn declared<'tree>(
    walk: &mut Walk<'tree>,
    node: Node<'tree>,
    kind: SymbolKind,
    word: &'static str,
    end: usize,
) -> Option<Declared<'tree>> {
    let name = field(node, "name")?;
    walk.not_a_mention(name);
    let visibility = visibility(walk, node);
    Some(Declared {
        node,
        kind,
        name: walk.name_of(name),
        word,
        visibility,
        exported: visibility == Visibility::Public,
        signature: (node.start_byte(), end),
        doc: outer_doc(walk),
    })
}

fn body_start(node: Node<'_>) -> usize {
    field(node, "body").map_or(node.end_byte(), |body| body.start_byte())
}

fn trimmed_end(walk: &Walk<'_>, node: Node<'_>) -> usize {
    let text = walk.text_of(node);
    node.start_byte() + text.trim_end_matches([';', ',', ' ', '\n']).len()
}

fn function<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let end = field(node, "body").map_or_else(|| trimmed_end(walk, node), |body| body.start_byte());
    let kind = if walk.in_type() { SymbolKind::Method } else { SymbolKind::Function };
    let Some(mut declared) = declared(walk, node, kind, "fn", end) else {
        return;
    };
    if let Some(parent) = walk.frames.last().filter(|_| kind == SymbolKind::Method) {
        // What a trait declares is as public as the trait; what implements one is documented there.
        if parent.kind == Some(SymbolKind::Trait) {
            declared.visibility = Visibility::Public;
            declared.exported = true;
        } else if parent.this == Some(TRAIT_IMPL) {
            declared.visibility = Visibility::Public;
        }
    }
    if walk.open(declared).is_some() {
        walk.mark_function();
    } else {
        walk.open_function();
    }
}

/// Marks the frame of an `impl Trait for Type`; no receiver is ever written like that.
const TRAIT_IMPL: &str = "impl for";

fn type_item<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, kind: SymbolKind, word: &'static str) {
    // A tuple struct's fields are part of what it promises.
    let end = match field(node, "body") {
        Some(body) if body.kind() == "ordered_field_declaration_list" => trimmed_end(walk, node),
        Some(body) => body.start_byte(),
        None => trimmed_end(walk, node),
    };
    if let Some(declared) = declared(walk, node, kind, word, end) {
        walk.open(declared);
    }
}

fn leaf<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, kind: SymbolKind, fixed: Option<Visibility>) {
    if walk.in_function() {
        return;
    }
    let end = trimmed_end(walk, node);
    let Some(mut declared) = declared(walk, node, kind, "", end) else {
        return;
    };
    if let Some(visibility) = fixed {
        declared.visibility = visibility;
        declared.exported = true;
    }
    walk.declare(declared);
}

/// A value is part of the signature if it is short.
fn value<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, kind: SymbolKind) {
    if walk.in_function() || field(node, "name").is_some_and(|name| walk.text_of(name) == "_") {
        return;
    }
    let full = trimmed_end(walk, node);
    let end = match field(node, "value") {
        Some(value) if full - node.start_byte() > 160 => {
            let before = walk.text.get(node.start_byte()..value.start_byte()).unwrap_or_default();
            node.start_byte() + before.trim_end_matches(['=', ' ', '\n', '\r', '\t']).len()
        }
        _ => full,
    };
    if let Some(mut declared) = declared(walk, node, kind, "", end) {
        if walk.is_in(SymbolKind::Trait) {
            declared.visibility = Visibility::Public;
            declared.exported = true;
        }
        walk.declare(declared);
    }
}

fn macro_definition<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let end = field(node, "name").map_or(node.end_byte(), |name| name.end_byte());
    let is_exported = walk.lead.iter().any(|attribute| walk.text_of(*attribute).contains("macro_export"));
    if let Some(mut declared) = declared(walk, node, SymbolKind::Macro, "macro", end) {
        declared.visibility = if is_exported { Visibility::Public } else { Visibility::Internal };
        declared.exported = is_exported;
        walk.open(declared);
    }
}

fn module<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    let module = walk.name_of(name);
    let has_body = field(node, "body").is_some();
    let end = if has_body { body_start(node) } else { trimmed_end(walk, node) };
    let Some(declared) = declared(walk, node, SymbolKind::Module, "mod", end) else {
        return;
    };
    if has_body {
        walk.open(declared);
    } else {
        let path = walk.qualified(&module);
        walk.declare(declared);
        walk.import(node, &path, Vec::new(), ImportKind::Mod);
    }
}

fn implementation<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let Some(of) = field(node, "type") else {
        return;
    };
    let type_name = bare_type(walk, of);
    let base = field(node, "trait");
    let name = match base {
        Some(base) => format!("{} for {type_name}", bare_type(walk, base)),
        None => type_name.clone(),
    };
    let opened = walk.open(Declared {
        node,
        kind: SymbolKind::Impl,
        name,
        word: "impl",
        visibility: Visibility::Private,
        exported: false,
        signature: (node.start_byte(), body_start(node)),
        doc: outer_doc(walk),
    });
    if opened.is_none() {
        return;
    }
    walk.set_prefix(&type_name);
    if let Some(frame) = walk.frames.last_mut() {
        // Its members are reachable through the type; whether that is public, this block does not say.
        frame.exported = true;
    }
    if let Some(base) = base {
        walk.set_this(TRAIT_IMPL);
        let plain = if base.kind() == "generic_type" { field(base, "type").unwrap_or(base) } else { base };
        mention_path(walk, plain, RefKind::Implements);
    }
}

/// A type's name without generics, references and lifetimes.
fn bare_type(walk: &Walk<'_>, node: Node<'_>) -> String {
    let mut name = None;
    inside(node, |inner| {
        if name.is_none() && matches!(inner.kind(), "type_identifier" | "primitive_type") {
            name = Some(walk.name_of(inner));
        }
        if name.is_none() && inner.kind() == "scoped_type_identifier" {
            name = field(inner, "name").map(|last| walk.name_of(last));
        }
        name.is_none()
    });
    name.unwrap_or_else(|| walk.name_of(node))
}

/// Mentions the last part of a path with the rest as receiver.
fn mention_path(walk: &mut Walk<'_>, node: Node<'_>, kind: RefKind) {
    match node.kind() {
        "identifier" | "type_identifier" => walk.mention(node, kind, None),
        "scoped_identifier" | "scoped_type_identifier" => {
            let Some(name) = field(node, "name") else {
                return;
            };
            let Some(path) = field(node, "path") else {
                return;
            };
            let plain = match path.kind() {
                "generic_type" => field(path, "type").unwrap_or(path),
                "generic_type_with_turbofish" => field(path, "type").unwrap_or(path),
                _ => path,
            };
            if let Some(receiver) = chain(walk.text, plain) {
                let receiver = if receiver == "Self" { "self".to_owned() } else { receiver };
                walk.mention(name, kind, Some(receiver));
            }
        }
        _ => {}
    }
}

fn call(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(mut function) = field(node, "function") else {
        return;
    };
    if function.kind() == "generic_function" {
        function = field(function, "function").unwrap_or(function);
    }
    if function.kind() != "field_expression" {
        mention_path(walk, function, RefKind::Call);
        return;
    }
    let (Some(value), Some(name)) = (field(function, "value"), field(function, "field")) else {
        return;
    };
    // A method of a value: only `self` says of what type.
    if value.kind() == "self" {
        walk.mention(name, RefKind::Call, Some("self".to_owned()));
    }
}

fn macro_invocation(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(name) = field(node, "macro") else {
        return;
    };
    if !STD_MACROS.contains(&walk.text_of(name)) {
        mention_path(walk, name, RefKind::Call);
    }
}

/// The arguments of a macro are not parsed; a name before parentheses is most likely called.
fn token_tree(walk: &mut Walk<'_>, node: Node<'_>) {
    let mut cursor = node.walk();
    let tokens: Vec<Node<'_>> = node.children(&mut cursor).take(4_096).collect();
    for (index, pair) in tokens.windows(2).enumerate() {
        let [name, arguments] = pair else { continue };
        let is_call = name.kind() == "identifier"
            && arguments.kind() == "token_tree"
            && walk.text_of(*arguments).starts_with('(');
        if !is_call {
            continue;
        }
        let before = tokens.get(..index).unwrap_or_default();
        match before.last().map(Node::kind) {
            Some("::") => {
                if let Some(receiver) = path_before(walk, before) {
                    walk.mention(*name, RefKind::Call, Some(receiver));
                }
            }
            Some(".") => {
                let of_self = matches!(before, [.., this, _] if this.kind() == "self")
                    && !matches!(before, [.., dot, _, _] if dot.kind() == ".");
                if of_self {
                    walk.mention(*name, RefKind::Call, Some("self".to_owned()));
                }
            }
            _ => walk.mention(*name, RefKind::Call, None),
        }
    }
}

/// The path that ends with the `::` at the end of these tokens.
fn path_before(walk: &Walk<'_>, tokens: &[Node<'_>]) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = tokens;
    while let [before @ .., name, separator] = rest {
        let is_name = matches!(name.kind(), "identifier" | "crate" | "self" | "super");
        if separator.kind() != "::" || !is_name || parts.len() > 16 {
            break;
        }
        parts.push(walk.text_of(*name));
        rest = before;
    }
    parts.reverse();
    (!parts.is_empty()).then(|| parts.join("::")).map(|path| if path == "Self" { "self".to_owned() } else { path })
}

/// Remembers the names a pattern binds; those in capitals are constants and variants.
fn bind<'tree>(walk: &mut Walk<'tree>, pattern: Node<'tree>) {
    let mut names = Vec::new();
    inside(pattern, |node| {
        match node.kind() {
            "identifier" | "shorthand_field_identifier" => names.push(walk.text_of(node)),
            "scoped_identifier" => return false,
            "tuple_struct_pattern" | "struct_pattern" | "parameter" => {
                for child in named_children(node) {
                    let is_type = field(node, "type").is_some_and(|of| of.id() == child.id());
                    if !is_type {
                        inside(child, |inner| {
                            if matches!(inner.kind(), "identifier" | "shorthand_field_identifier") {
                                names.push(walk.text_of(inner));
                            }
                            inner.kind() != "scoped_identifier"
                        });
                    }
                }
                return false;
            }
            _ => {}
        }
        true
    });
    for name in names {
        if !head(name).starts_with(char::is_uppercase) {
            walk.local(name);
        }
    }
}
