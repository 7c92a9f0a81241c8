//! JavaScript and TypeScript, with and without JSX: one walk, as the grammars share their names.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::doc;
use super::ecmascript_import as import;
use super::nodes::{chain, children_of_field, early_child, field, inside, named_children};
use super::walk::{Declared, Speaker, Step, Trivia, Walk};
use crate::{ImportKind, ImportedName, RefKind, SymbolKind, Visibility};

const CLASS_KINDS: &[&str] = &["class_declaration", "abstract_class_declaration", "class"];

const FUNCTION_KINDS: &[&str] = &["arrow_function", "function_expression", "generator_function", "function"];

#[derive(Default)]
pub(super) struct EcmaScript {
    /// Names that an export list, a default export or `module.exports` gives out.
    exported: BTreeSet<String>,
    /// Byte at which the innermost export statement ends; what starts before it at the top is exported.
    export_end: usize,
    is_past_head: bool,
}

impl Speaker for EcmaScript {
    const SEPARATOR: &'static str = ".";

    fn trivia(&self, kind: &str) -> Trivia {
        match kind {
            "comment" | "html_comment" => Trivia::Comment,
            "decorator" => Trivia::Attribute,
            _ => Trivia::No,
        }
    }

    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        if !self.is_past_head && walk.is_top_level() && node.kind() != "hash_bang_line" {
            self.is_past_head = true;
            file_doc(walk, node);
        }
        match node.kind() {
            "import_statement" => {
                import::statement(walk, node);
                return Step::Skip;
            }
            "export_statement" => return self.export(walk, node),
            "ambient_declaration" => walk.pass_lead = true,
            "function_declaration" | "generator_function_declaration" | "function_signature" => {
                let declared = self.declared(walk, node, node, SymbolKind::Function, "function");
                open_function(walk, declared);
            }
            "class_declaration" | "abstract_class_declaration" => self.class(walk, node, None),
            "class" if is_default_export(node) => {
                self.class(walk, node, Some("default".to_owned()));
            }
            "interface_declaration" => self.interface(walk, node),
            "type_alias_declaration" => self.type_alias(walk, node),
            "enum_declaration" => self.enumeration(walk, node),
            "internal_module" | "module" => {
                if let Some(declared) = self.declared(walk, node, node, SymbolKind::Namespace, "namespace") {
                    walk.open(declared);
                }
            }
            "enum_body" => enum_members(walk, node),
            "method_definition" | "method_signature" | "abstract_method_signature" => {
                method(walk, node);
            }
            "public_field_definition" | "field_definition" | "property_signature" => {
                member(walk, node);
            }
            "lexical_declaration" | "variable_declaration" => walk.pass_lead = true,
            "variable_declarator" => self.variable(walk, node),
            "assignment_expression" => self.assignment(walk, node),
            "arrow_function" | "function_expression" | "generator_function" | "function" => {
                self.anonymous_function(walk, node);
            }
            "required_parameter" | "optional_parameter" => bind_field(walk, node, "pattern"),
            "formal_parameters" => {
                for parameter in named_children(node) {
                    if !parameter.kind().ends_with("_parameter") {
                        bind(walk, parameter);
                    }
                }
            }
            "catch_clause" => bind_field(walk, node, "parameter"),
            "for_in_statement" => bind_field(walk, node, "left"),
            "call_expression" => call(walk, node),
            "new_expression" => {
                if let Some(constructor) = field(node, "constructor") {
                    mention(walk, constructor, RefKind::Call);
                }
            }
            "jsx_opening_element" | "jsx_self_closing_element" => {
                if let Some(name) =
                    field(node, "name").filter(|name| walk.text_of(*name).starts_with(char::is_uppercase))
                {
                    mention(walk, name, RefKind::Call);
                }
            }
            "type_parameter" => {
                if let Some(name) = field(node, "name") {
                    walk.type_parameter(name);
                }
            }
            "type_identifier" => walk.mention(node, RefKind::Type, None),
            "nested_type_identifier" => {
                mention(walk, node, RefKind::Type);
                return Step::Skip;
            }
            _ => {}
        }
        Step::Descend
    }

    fn finish(&mut self, walk: &mut Walk<'_>) {
        let mut exported: Vec<bool> = Vec::with_capacity(walk.out.symbols.len());
        for symbol in &mut walk.out.symbols {
            if symbol.parent.is_none() && self.exported.contains(&symbol.name) {
                symbol.exported = true;
                symbol.visibility = Visibility::Public;
            }
            if let Some(parent) = symbol.parent {
                let of_exported = exported.get(parent as usize).copied().unwrap_or(false);
                symbol.exported =
                    of_exported && symbol.visibility == Visibility::Public && !is_in_function(symbol.kind);
            }
            exported.push(symbol.exported);
        }
    }
}

/// A function inside something that is not a type is local to it; namespaces export theirs explicitly.
fn is_in_function(kind: SymbolKind) -> bool {
    matches!(kind, SymbolKind::Function | SymbolKind::Class)
}

impl EcmaScript {
    fn is_exported(&self, node: Node<'_>) -> bool {
        node.start_byte() < self.export_end
    }

    /// A declaration whose name is that of `named`; the range is that of `node`.
    fn declared<'tree>(
        &self,
        walk: &mut Walk<'tree>,
        node: Node<'tree>,
        named: Node<'tree>,
        kind: SymbolKind,
        word: &'static str,
    ) -> Option<Declared<'tree>> {
        let name = field(named, "name")?;
        walk.not_a_mention(name);
        let name = walk.name_of(name).trim_matches(['"', '\'']).to_owned();
        Some(self.declared_as(walk, node, name, kind, word))
    }

    fn declared_as<'tree>(
        &self,
        walk: &Walk<'tree>,
        node: Node<'tree>,
        name: String,
        kind: SymbolKind,
        word: &'static str,
    ) -> Declared<'tree> {
        let exported = self.is_exported(node) && !walk.in_function();
        Declared {
            node,
            kind,
            name,
            word,
            visibility: if exported { Visibility::Public } else { Visibility::Internal },
            exported,
            signature: (node.start_byte(), head_end(walk, node)),
            doc: doc::starred(walk.text, &walk.lead),
        }
    }

    fn export<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        if import::reexport(walk, node, &mut self.exported) {
            return Step::Skip;
        }
        self.export_end = node.end_byte();
        walk.pass_lead = true;
        let mut cursor = node.walk();
        let is_default = node.children(&mut cursor).any(|child| child.kind() == "default");
        if !is_default {
            return Step::Descend;
        }
        let given = field(node, "declaration").or_else(|| field(node, "value"));
        let Some(given) = given else {
            return Step::Descend;
        };
        let name = match given.kind() {
            "identifier" => Some(given),
            _ => field(given, "name"),
        };
        let name = match name {
            Some(name) => walk.name_of(name),
            None => "default".to_owned(),
        };
        if given.kind() == "identifier" {
            self.exported.insert(name.clone());
        } else if field(given, "name").is_none()
            && !FUNCTION_KINDS.contains(&given.kind())
            && !CLASS_KINDS.contains(&given.kind())
        {
            let declared = self.declared_as(walk, given, name.clone(), SymbolKind::Constant, "");
            walk.declare(declared);
        }
        let names = vec![ImportedName { name, alias: Some("default".to_owned()) }];
        walk.import(node, "", names, ImportKind::Reexport);
        Step::Descend
    }

    fn class<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>, name: Option<String>) {
        let declared = match name {
            Some(name) => Some(self.declared_as(walk, node, name, SymbolKind::Class, "class")),
            None => self.declared(walk, node, node, SymbolKind::Class, "class"),
        };
        if declared.and_then(|declared| walk.open(declared)).is_none() {
            return;
        }
        let Some(heritage) = early_child(node, "class_heritage") else {
            return;
        };
        for clause in named_children(heritage) {
            match clause.kind() {
                "extends_clause" => {
                    for value in children_of_field(clause, "value") {
                        mention(walk, value, RefKind::Extends);
                    }
                }
                "implements_clause" => {
                    for of in named_children(clause) {
                        mention(walk, of, RefKind::Implements);
                    }
                }
                _ => mention(walk, clause, RefKind::Extends),
            }
        }
    }

    fn interface<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        let Some(declared) = self.declared(walk, node, node, SymbolKind::Interface, "interface") else {
            return;
        };
        if walk.open(declared).is_none() {
            return;
        }
        if let Some(clause) = early_child(node, "extends_type_clause") {
            for of in children_of_field(clause, "type") {
                mention(walk, of, RefKind::Extends);
            }
        }
    }

    fn type_alias<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        if walk.in_function() {
            return;
        }
        if let Some(declared) = self.declared(walk, node, node, SymbolKind::TypeAlias, "type") {
            walk.open(declared);
        }
    }

    fn enumeration<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        if let Some(declared) = self.declared(walk, node, node, SymbolKind::Enum, "enum") {
            walk.open(declared);
        }
    }

    fn variable<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        let Some(name) = field(node, "name") else {
            return;
        };
        if walk.in_function() || walk.in_type() {
            bind(walk, name);
            return;
        }
        let keyword = node.parent().and_then(|parent| field(parent, "kind")).map_or("var", |kind| walk.text_of(kind));
        let value = field(node, "value");
        if value.is_some_and(|value| import::require_declaration(walk, node, name, value)) {
            return;
        }
        if name.kind() != "identifier" {
            return;
        }
        let text = walk.name_of(name);
        match value.map(|value| value.kind()) {
            Some(kind) if FUNCTION_KINDS.contains(&kind) => {
                let declared = self.declared_as(walk, node, text, SymbolKind::Function, "function");
                open_function(walk, Some(declared));
            }
            Some("class") => self.class_value(walk, node, value, text),
            _ => {
                let kind = if keyword == "const" { SymbolKind::Constant } else { SymbolKind::Variable };
                let declared = self.declared_as(walk, node, text, kind, "");
                walk.open(declared);
            }
        }
        walk.prefix_signature(node, keyword);
    }

    fn class_value<'tree>(
        &mut self,
        walk: &mut Walk<'tree>,
        node: Node<'tree>,
        value: Option<Node<'tree>>,
        name: String,
    ) {
        let mut declared = self.declared_as(walk, node, name, SymbolKind::Class, "class");
        if let Some(body) = value.and_then(|value| field(value, "body")) {
            declared.signature.1 = body.start_byte();
        }
        walk.open(declared);
    }

    /// `module.exports = …` and `exports.name = …` at the top of a CommonJS module.
    fn assignment<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return;
        };
        if !walk.frames.is_empty() || left.kind() != "member_expression" {
            return;
        }
        let Some(target) = chain(walk.text, left) else {
            return;
        };
        if target == "module.exports" {
            import::common_js_exports(walk, node, right, &mut self.exported);
            return;
        }
        let name = target.strip_prefix("module.exports.").or_else(|| target.strip_prefix("exports."));
        let Some(name) = name.filter(|name| !name.contains('.')) else {
            return;
        };
        let name = name.to_owned();
        self.exported.insert(name.clone());
        if right.kind() == "identifier" {
            let local = walk.name_of(right);
            self.exported.insert(local.clone());
            if local != name {
                let names = vec![ImportedName { name: local, alias: Some(name) }];
                walk.import(node, "", names, ImportKind::Reexport);
            }
        } else if FUNCTION_KINDS.contains(&right.kind()) {
            let declared = self.declared_as(walk, node, name, SymbolKind::Function, "function");
            open_function(walk, Some(declared));
        } else {
            let declared = self.declared_as(walk, node, name, SymbolKind::Constant, "");
            walk.declare(declared);
        }
    }

    fn anonymous_function<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) {
        if walk.frames.is_empty() && is_default_export(node) {
            let declared = self.declared_as(walk, node, "default".to_owned(), SymbolKind::Function, "function");
            open_function(walk, Some(declared));
        } else {
            walk.open_function();
        }
        bind_field(walk, node, "parameter");
    }
}

fn is_default_export(node: Node<'_>) -> bool {
    field(node, "name").is_none() && node.parent().is_some_and(|parent| parent.kind() == "export_statement")
}

fn file_doc(walk: &mut Walk<'_>, first: Node<'_>) {
    // Only a comment that cannot be that of the first declaration is about the file.
    let Some(comment) = walk.lead.first().copied() else {
        return;
    };
    let text = walk.text_of(comment);
    let is_apart = walk.lead.len() > 1
        || first.start_position().row > comment.end_position().row + 1
        || first.kind() == "import_statement"
        || walk.text_of(first).contains("require(");
    if text.starts_with("/**") && is_apart {
        walk.declare_file(comment, comment, doc::block(text));
    }
}

/// Where the body starts, of the declaration or of the function that is its value.
fn head_end(walk: &Walk<'_>, node: Node<'_>) -> usize {
    let value = field(node, "value").or_else(|| field(node, "right"));
    let body = field(node, "body").or_else(|| {
        value.filter(|value| FUNCTION_KINDS.contains(&value.kind())).and_then(|value| field(value, "body"))
    });
    let end = match (body, value) {
        (Some(body), _) => body.start_byte(),
        (None, Some(value)) if node.end_byte() - node.start_byte() > 160 => value.start_byte(),
        _ => node.end_byte(),
    };
    let head = walk.text.get(node.start_byte()..end).unwrap_or_default();
    let head = head.trim_end();
    let head = head.strip_suffix("=>").unwrap_or(head);
    node.start_byte() + head.trim_end_matches([';', ',', '=', ' ', '\n', '\r', '\t']).len().max(1)
}

fn open_function<'tree>(walk: &mut Walk<'tree>, declared: Option<Declared<'tree>>) {
    if declared.and_then(|declared| walk.open(declared)).is_none() {
        walk.open_function();
    }
    walk.mark_function();
}

fn member_visibility(walk: &Walk<'_>, node: Node<'_>) -> Visibility {
    let is_hidden = field(node, "name").is_some_and(|name| name.kind() == "private_property_identifier");
    match early_child(node, "accessibility_modifier").map(|modifier| walk.text_of(modifier)) {
        _ if is_hidden => Visibility::Private,
        Some("private") => Visibility::Private,
        Some("protected") => Visibility::Internal,
        _ => Visibility::Public,
    }
}

fn member_declared<'tree>(walk: &Walk<'tree>, node: Node<'tree>, kind: SymbolKind) -> Option<Declared<'tree>> {
    let name = field(node, "name").or_else(|| field(node, "property"))?;
    let visibility = member_visibility(walk, node);
    Some(Declared {
        node,
        kind,
        name: walk.name_of(name).trim_matches(['"', '\'']).to_owned(),
        word: "",
        visibility,
        exported: visibility == Visibility::Public,
        signature: (node.start_byte(), head_end(walk, node)),
        doc: doc::starred(walk.text, &walk.lead),
    })
}

fn method<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    let is_constructor = field(node, "name").is_some_and(|name| walk.text_of(name) == "constructor");
    let kind = if is_constructor { SymbolKind::Constructor } else { SymbolKind::Method };
    let declared = if walk.in_type() { member_declared(walk, node, kind) } else { None };
    open_function(walk, declared);
}

fn member<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    if !walk.in_type() {
        return;
    }
    let is_function = field(node, "value").is_some_and(|value| FUNCTION_KINDS.contains(&value.kind()));
    let kind = match node.kind() {
        _ if is_function => SymbolKind::Method,
        "property_signature" => SymbolKind::Property,
        _ => SymbolKind::Field,
    };
    let is_alias_member = walk.is_in(SymbolKind::TypeAlias);
    let Some(declared) = member_declared(walk, node, kind).filter(|_| !is_alias_member) else {
        return;
    };
    if is_function {
        open_function(walk, Some(declared));
    } else {
        walk.declare(declared);
    }
}

fn enum_members<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>) {
    for child in named_children(node) {
        if child.kind().ends_with("comment") {
            continue;
        }
        let name = field(child, "name").unwrap_or(child);
        let declared = Declared {
            node: child,
            kind: SymbolKind::EnumMember,
            name: walk.name_of(name).trim_matches(['"', '\'']).to_owned(),
            word: "",
            visibility: Visibility::Public,
            exported: true,
            signature: (child.start_byte(), child.end_byte()),
            doc: child.prev_named_sibling().map(|before| doc::starred(walk.text, &[before])).unwrap_or_default(),
        };
        walk.declare(declared);
    }
}

/// Mentions a name or the last part of a member chain.
fn mention(walk: &mut Walk<'_>, node: Node<'_>, kind: RefKind) {
    match node.kind() {
        "identifier" | "type_identifier" => walk.mention(node, kind, None),
        "member_expression" | "nested_identifier" => {
            let (Some(object), Some(name)) = (field(node, "object"), field(node, "property")) else {
                return;
            };
            let receiver = match object.kind() {
                "this" => Some("self".to_owned()),
                "super" => Some("super".to_owned()),
                "identifier" | "member_expression" | "nested_identifier" => {
                    chain(walk.text, object).map(|receiver| match receiver.strip_prefix("this.") {
                        Some(rest) => format!("self.{rest}"),
                        None => receiver,
                    })
                }
                _ => None,
            };
            if receiver.is_some() {
                walk.mention(name, kind, receiver);
            }
        }
        "nested_type_identifier" => {
            let (Some(module), Some(name)) = (field(node, "module"), field(node, "name")) else {
                return;
            };
            if let Some(receiver) = chain(walk.text, module) {
                walk.mention(name, kind, Some(receiver));
            }
        }
        "generic_type" => {
            if let Some(name) = field(node, "name") {
                mention(walk, name, kind);
            }
        }
        _ => {}
    }
}

fn call(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(function) = field(node, "function") else {
        return;
    };
    let is_loader =
        function.kind() == "import" || (function.kind() == "identifier" && walk.text_of(function) == "require");
    if is_loader {
        import::dynamic(walk, node);
    } else if function.kind() == "super" {
        walk.mention_named(function, RefKind::Call, "constructor".to_owned(), Some("super".to_owned()));
    } else {
        mention(walk, function, RefKind::Call);
    }
}

fn bind_field<'tree>(walk: &mut Walk<'tree>, node: Node<'tree>, name: &str) {
    if let Some(pattern) = field(node, name) {
        bind(walk, pattern);
    }
}

/// Remembers the names a pattern binds.
fn bind<'tree>(walk: &mut Walk<'tree>, pattern: Node<'tree>) {
    let mut names = Vec::new();
    inside(pattern, |node| {
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                names.push(walk.text_of(node));
            }
            "member_expression" | "subscript_expression" | "call_expression" | "arrow_function" | "object" => {
                return false;
            }
            _ => {}
        }
        true
    });
    for name in names {
        walk.local(name);
    }
}
