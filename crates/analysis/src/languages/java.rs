//! Java.

use tree_sitter::Node;

use super::doc;
use super::nodes::{chain, children_of_field, early_child, field, inside, named_children};
use super::walk::{Declared, Speaker, Step, Walk};
use crate::{ImportKind, ImportedName, RefKind, SymbolKind, Visibility};

#[derive(Default)]
pub(super) struct Java;

impl Speaker for Java {
    const SEPARATOR: &'static str = ".";

    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        match node.kind() {
            "package_declaration" => {
                let name = named_children(node).into_iter().find(|child| child.kind().ends_with("identifier"));
                if let Some(name) = name.and_then(|name| chain(walk.text, name)) {
                    walk.import(node, &name, Vec::new(), ImportKind::Package);
                }
                return Step::Skip;
            }
            "import_declaration" => {
                import(walk, node);
                return Step::Skip;
            }
            "class_declaration" => type_declaration(walk, node, SymbolKind::Class, "class"),
            "record_declaration" => type_declaration(walk, node, SymbolKind::Class, "record"),
            "interface_declaration" => {
                type_declaration(walk, node, SymbolKind::Interface, "interface");
            }
            "enum_declaration" => type_declaration(walk, node, SymbolKind::Enum, "enum"),
            "annotation_type_declaration" => {
                type_declaration(walk, node, SymbolKind::Annotation, "@interface");
            }
            "enum_constant" => enum_constant(walk, node),
            "method_declaration" | "annotation_type_element_declaration" => {
                callable(walk, node, SymbolKind::Method);
            }
            "constructor_declaration" | "compact_constructor_declaration" => {
                callable(walk, node, SymbolKind::Constructor);
            }
            "lambda_expression" => {
                walk.open_function();
                if let Some(parameters) = field(node, "parameters") {
                    bind(walk, parameters);
                }
            }
            "static_initializer" => walk.open_function(),
            "field_declaration" | "constant_declaration" => fields(walk, node),
            "formal_parameter"
            | "enhanced_for_statement"
            | "catch_formal_parameter"
            | "resource"
            | "instanceof_expression"
            | "variable_declarator" => {
                if let Some(name) = field(node, "name").filter(|_| walk.in_function()) {
                    let name = walk.text_of(name);
                    walk.local(name);
                }
            }
            "method_invocation" => method_invocation(walk, node),
            "object_creation_expression" => {
                if let Some(of) = field(node, "type") {
                    mention_type(walk, of, RefKind::Call);
                }
            }
            "type_parameter" => {
                if let Some(name) = named_children(node).into_iter().find(|child| child.kind() == "type_identifier") {
                    walk.type_parameter(name);
                }
            }
            "type_identifier" => walk.mention(node, RefKind::Type, None),
            "scoped_type_identifier" => {
                mention_type(walk, node, RefKind::Type);
                return Step::Skip;
            }
            _ => {}
        }
        Step::Descend
    }
}

fn modifiers<'tree>(walk: &Walk<'tree>, node: Node<'tree>) -> &'tree str {
    early_child(node, "modifiers").map(|modifiers| walk.text_of(modifiers)).unwrap_or_default()
}

fn has_modifier(walk: &Walk<'_>, node: Node<'_>, wanted: &str) -> bool {
    modifiers(walk, node).split_whitespace().any(|word| word == wanted)
}

/// Members of interfaces and annotations are public unless they say otherwise.
fn visibility(walk: &Walk<'_>, node: Node<'_>) -> (Visibility, bool) {
    let in_interface = walk
        .frames
        .last()
        .is_some_and(|frame| matches!(frame.kind, Some(SymbolKind::Interface | SymbolKind::Annotation)));
    let has = |wanted| has_modifier(walk, node, wanted);
    if has("public") || (in_interface && !has("private")) {
        (Visibility::Public, true)
    } else if has("private") {
        (Visibility::Private, false)
    } else {
        // Protected members are reachable by subclasses anywhere.
        (Visibility::Internal, has("protected"))
    }
}

/// The declaration without its annotations.
fn signature_start(node: Node<'_>) -> usize {
    let Some(modifiers) = early_child(node, "modifiers") else {
        return node.start_byte();
    };
    let mut cursor = modifiers.walk();
    let first_word = modifiers.children(&mut cursor).find(|child| !child.is_named()).map(|child| child.start_byte());
    first_word.unwrap_or(modifiers.end_byte())
}

fn declared<'tree>(
    walk: &mut Walk<'tree>,
    node: Node<'tree>,
    kind: SymbolKind,
    word: &'static str,
    end: usize,
) -> Option<Declared<'tree>> {
    let name = field(node, "name")?;
    let (visibility, exported) = visibility(walk, node);
    let text = walk.text.get(node.start_byte()..end).unwrap_or_default().trim_end_matches([';', ' ', '\n', '\r', '\t']);
    Some(Declared {
        node,
        kind,
        name: walk.name_of(name),
        word,
        visibility,
        exported,
        signature: (signature_start(node), node.start_byte() + text.len()),
        doc: doc::starred(walk.text, &walk.lead),
    })
}

fn type_declaration<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, kind: SymbolKind, word: &'static str) {
    let end = field(node, "body").map_or(node.end_byte(), |body| body.start_byte());
    let Some(declared) = declared(walk, node, kind, word, end) else {
        return;
    };
    if walk.open(declared).is_none() {
        return;
    }
    let extends = field(node, "superclass").or_else(|| early_child(node, "extends_interfaces"));
    for (list, kind) in [(extends, RefKind::Extends), (field(node, "interfaces"), RefKind::Implements)] {
        let types = list.map(named_children).unwrap_or_default();
        for of in types {
            let each = if of.kind() == "type_list" { named_children(of) } else { vec![of] };
            for of in each {
                mention_type(walk, of, kind);
            }
        }
    }
}

fn enum_constant<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let end = field(node, "body").map_or(node.end_byte(), |body| body.start_byte());
    if let Some(mut declared) = declared(walk, node, SymbolKind::EnumMember, "", end) {
        declared.visibility = Visibility::Public;
        declared.exported = true;
        walk.declare(declared);
    }
}

fn callable<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, kind: SymbolKind) {
    let end = field(node, "body").map_or(node.end_byte(), |body| body.start_byte());
    let opened = declared(walk, node, kind, "", end).and_then(|declared| walk.open(declared));
    if opened.is_none() {
        walk.open_function();
    }
    walk.mark_function();
}

fn fields<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let is_constant = node.kind() == "constant_declaration"
        || (has_modifier(walk, node, "static") && has_modifier(walk, node, "final"));
    let kind = if is_constant { SymbolKind::Constant } else { SymbolKind::Field };
    let (visibility, exported) = visibility(walk, node);
    let doc = doc::starred(walk.text, &walk.lead);
    let start = signature_start(node);
    for declarator in children_of_field(node, "declarator") {
        let Some(name) = field(declarator, "name") else {
            continue;
        };
        let full = walk.text.get(start..declarator.end_byte()).unwrap_or_default();
        let end = if full.len() > 160 { name.end_byte() } else { declarator.end_byte() };
        let name = walk.name_of(name);
        walk.declare(Declared {
            node,
            kind,
            name,
            word: "",
            visibility,
            exported,
            signature: (start, end),
            doc: doc.clone(),
        });
    }
}

fn method_invocation(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    match field(node, "object") {
        None => walk.mention(name, RefKind::Call, None),
        Some(object) => {
            let receiver = match object.kind() {
                "this" => Some("self".to_owned()),
                "super" => Some("super".to_owned()),
                "identifier" | "field_access" => chain(walk.text, object),
                _ => None,
            };
            if receiver.is_some() {
                walk.mention(name, RefKind::Call, receiver);
            }
        }
    }
}

/// Mentions a type without its arguments.
fn mention_type(walk: &mut Walk<'_>, node: Node<'_>, kind: RefKind) {
    match node.kind() {
        "type_identifier" => walk.mention(node, kind, None),
        "scoped_type_identifier" => {
            let parts = named_children(node);
            if let (Some(first), Some(last)) = (parts.first(), parts.last())
                && let Some(receiver) = chain(walk.text, *first)
            {
                walk.mention(*last, kind, Some(receiver));
            }
        }
        "generic_type" => {
            if let Some(of) = named_children(node).into_iter().next() {
                mention_type(walk, of, kind);
            }
        }
        _ => {}
    }
}

fn bind<'tree>(walk: &mut Walk<'tree>, parameters: Node<'tree>) {
    let mut names = Vec::new();
    inside(parameters, |node| {
        if node.kind() == "identifier" {
            names.push(walk.text_of(node));
        }
        true
    });
    for name in names {
        walk.local(name);
    }
}

fn import(walk: &mut Walk<'_>, node: Node<'_>) {
    let children = named_children(node);
    let Some(path) = children.iter().find(|child| child.kind().ends_with("identifier")) else {
        return;
    };
    let Some(path) = chain(walk.text, *path) else {
        return;
    };
    let is_wildcard = children.iter().any(|child| child.kind() == "asterisk");
    let (module, name) = if is_wildcard { (path.as_str(), "*") } else { path.rsplit_once('.').unwrap_or(("", &path)) };
    let names = vec![ImportedName { name: name.to_owned(), alias: None }];
    let module = module.to_owned();
    walk.import(node, &module, names, ImportKind::Import);
}
