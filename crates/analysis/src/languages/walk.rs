//! The walk that all languages share: it moves, remembers what is around, and collects; a language says what nodes mean.

use std::collections::{BTreeMap, HashSet};

use tree_sitter::{Node, Tree};

use super::nodes::{MAX_NAME_CHARS, head, name_of, text_of};
use super::{Outline, Scope};
use crate::text::{clamp, one_line};
use crate::{Import, ImportKind, ImportedName, Ref, RefKind, Symbol, SymbolKind, Visibility};

/// Bounds for one file; real files stay far below them.
const MAX_SYMBOLS: usize = 20_000;
const MAX_REFS: usize = 50_000;
const MAX_IMPORTS: usize = 5_000;

/// The longest signature and import statement, in characters.
pub(super) const MAX_SIGNATURE_CHARS: usize = 400;

/// Functions nested deeper than this do not hide names: the check costs their depth.
const MAX_NESTED_FUNCTIONS: usize = 48;

/// What to do after a node was entered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Descend,
    Skip,
}

/// What a node is for the declaration after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trivia {
    /// Not trivia.
    No,
    /// Belongs to the next declaration and says nothing else.
    Comment,
    /// Belongs to the next declaration and is walked too.
    Attribute,
}

/// A language's part of the walk.
pub(super) trait Speaker {
    /// Between the parts of a qualified name.
    const SEPARATOR: &'static str;

    /// Whether a node belongs to the declaration after it.
    fn trivia(&self, kind: &str) -> Trivia {
        if kind.ends_with("comment") { Trivia::Comment } else { Trivia::No }
    }

    /// Looks at a named node before its children.
    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step;

    /// Called once at the end.
    fn finish(&mut self, walk: &mut Walk<'_>) {
        let _ = walk;
    }
}

/// A declaration as a language reports it.
pub(super) struct Declared<'tree> {
    pub(super) node: Node<'tree>,
    pub(super) kind: SymbolKind,
    pub(super) name: String,
    /// The word before the name in a scope label (`fn`, `class`).
    pub(super) word: &'static str,
    pub(super) visibility: Visibility,
    /// Whether it would be reachable if everything around it is.
    pub(super) exported: bool,
    /// First and last byte of the signature.
    pub(super) signature: (usize, usize),
    pub(super) doc: String,
}

/// What is around the current node.
pub(super) struct Frame<'tree> {
    depth: usize,
    pub(super) symbol: Option<u32>,
    pub(super) kind: Option<SymbolKind>,
    scope: Option<usize>,
    /// Qualified name that names inside are put behind.
    prefix: String,
    pub(super) exported: bool,
    pub(super) is_function: bool,
    /// Names that mean something else in here.
    locals: HashSet<&'tree str>,
    type_parameters: HashSet<&'tree str>,
    /// The name of the receiver (`self` of the language).
    pub(super) this: Option<&'tree str>,
    first_ref: usize,
}

/// The state of a walk.
pub(super) struct Walk<'tree> {
    pub(super) path: &'tree str,
    pub(super) text: &'tree str,
    pub(super) out: Outline,
    pub(super) frames: Vec<Frame<'tree>>,
    /// Comments and attributes directly before the current node.
    pub(super) lead: Vec<Node<'tree>>,
    /// Set to give `lead` to the first child.
    pub(super) pass_lead: bool,
    /// First byte of a name that was declared: not a mention of itself.
    declared_at: HashSet<usize>,
    depth: usize,
    error_depth: Option<usize>,
    separator: &'static str,
}

/// Walks a whole tree.
pub(super) fn run<Language: Speaker>(path: &str, text: &str, tree: &Tree, speaker: &mut Language) -> Outline {
    let mut walk = Walk {
        path,
        text,
        out: Outline::default(),
        frames: Vec::new(),
        lead: Vec::new(),
        pass_lead: false,
        declared_at: HashSet::new(),
        depth: 0,
        error_depth: None,
        separator: Language::SEPARATOR,
    };
    let mut cursor = tree.walk();
    // Trivia seen at each depth since the last node that was none.
    let mut leads: Vec<Vec<Node<'_>>> = vec![Vec::new()];
    loop {
        let step = visit(&mut walk, speaker, cursor.node(), &mut leads);
        if step == Step::Descend && cursor.goto_first_child() {
            walk.depth += 1;
            let handed_down = if walk.pass_lead { std::mem::take(&mut walk.lead) } else { Vec::new() };
            walk.pass_lead = false;
            match leads.get_mut(walk.depth) {
                Some(lead) => *lead = handed_down,
                None => leads.push(handed_down),
            }
            continue;
        }
        walk.pass_lead = false;
        walk.leave();
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                speaker.finish(&mut walk);
                return walk.finish();
            }
            walk.depth -= 1;
            walk.leave();
        }
    }
}

fn visit<'tree, Language: Speaker>(
    walk: &mut Walk<'tree>,
    speaker: &mut Language,
    node: Node<'tree>,
    leads: &mut [Vec<Node<'tree>>],
) -> Step {
    if !node.is_named() {
        return Step::Skip;
    }
    if node.is_error() && walk.error_depth.is_none() {
        walk.error_depth = Some(walk.depth);
    }
    let kind = node.kind();
    let lead_here = leads.get_mut(walk.depth);
    match speaker.trivia(kind) {
        Trivia::Comment => {
            walk.out.comments.push((node.start_byte(), node.end_byte()));
            if let Some(lead) = lead_here {
                lead.push(node);
            }
            return Step::Skip;
        }
        Trivia::Attribute => {
            if let Some(lead) = lead_here {
                lead.push(node);
            }
            walk.lead.clear();
        }
        Trivia::No => walk.lead = lead_here.map(std::mem::take).unwrap_or_default(),
    }
    speaker.enter(walk, node)
}

impl<'tree> Walk<'tree> {
    pub(super) fn text_of(&self, node: Node<'_>) -> &'tree str {
        text_of(self.text, node)
    }

    pub(super) fn name_of(&self, node: Node<'_>) -> String {
        name_of(self.text, node)
    }

    /// The nearest frame that has a symbol.
    pub(super) fn parent(&self) -> Option<&Frame<'tree>> {
        self.frames.iter().rev().find(|frame| frame.symbol.is_some())
    }

    /// Whether the nearest frame of any kind is a type (and not a function in it).
    pub(super) fn in_type(&self) -> bool {
        self.frames.last().is_some_and(|frame| {
            !frame.is_function && frame.kind.is_some_and(|kind| kind.is_type() || kind == SymbolKind::Impl)
        })
    }

    /// Whether the nearest frame is of this kind.
    pub(super) fn is_in(&self, kind: SymbolKind) -> bool {
        self.frames.last().is_some_and(|frame| frame.kind == Some(kind))
    }

    /// Whether the current node is a child of the root.
    pub(super) fn is_top_level(&self) -> bool {
        self.depth == 1
    }

    pub(super) fn in_function(&self) -> bool {
        self.frames.iter().rev().any(|frame| frame.is_function)
    }

    /// The file's own documentation as a module symbol whose lines are those of the comment.
    pub(super) fn declare_file(&mut self, first: Node<'tree>, last: Node<'tree>, doc: String) {
        if doc.is_empty() || !self.out.symbols.is_empty() {
            return;
        }
        let name = file_stem(self.path);
        self.out.symbols.push(Symbol {
            ordinal: 0,
            parent: None,
            kind: SymbolKind::Module,
            qualified: name.clone(),
            name,
            signature: String::new(),
            doc,
            visibility: Visibility::Public,
            exported: false,
            start_line: clamp(first.start_position().row + 1),
            end_line: end_line(first.start_position().row, last),
            start_byte: clamp(first.start_byte()),
            end_byte: clamp(last.end_byte()),
        });
    }

    /// Records a declaration that nothing is declared in.
    pub(super) fn declare(&mut self, declared: Declared<'tree>) -> Option<u32> {
        if self.out.symbols.len() >= MAX_SYMBOLS || declared.name.is_empty() {
            return None;
        }
        let ordinal = clamp(self.out.symbols.len());
        let parent = self.parent();
        let qualified = self.qualified(&declared.name);
        let reachable = self.frames.iter().all(|frame| frame.exported && !frame.is_function);
        let node = declared.node;
        let signature = self.text.get(declared.signature.0..declared.signature.1).unwrap_or_default();
        self.out.symbols.push(Symbol {
            ordinal,
            parent: parent.and_then(|frame| frame.symbol),
            kind: declared.kind,
            name: declared.name,
            qualified,
            signature: one_line(signature, MAX_SIGNATURE_CHARS),
            doc: declared.doc,
            visibility: declared.visibility,
            exported: declared.exported && reachable,
            start_line: clamp(node.start_position().row + 1),
            end_line: end_line(node.start_position().row, node),
            start_byte: clamp(node.start_byte()),
            end_byte: clamp(node.end_byte()),
        });
        Some(ordinal)
    }

    /// Puts a keyword that stands outside the node before the signature of what was just declared by it.
    pub(super) fn prefix_signature(&mut self, node: Node<'_>, keyword: &str) {
        if let Some(symbol) = self.out.symbols.last_mut()
            && symbol.start_byte == clamp(node.start_byte())
        {
            symbol.signature = one_line(&format!("{keyword} {}", symbol.signature), MAX_SIGNATURE_CHARS);
        }
    }

    /// Records a declaration and makes it the surrounding of everything inside its node.
    pub(super) fn open(&mut self, declared: Declared<'tree>) -> Option<u32> {
        let node = declared.node;
        let kind = declared.kind;
        let label = match declared.word {
            "" => declared.name.clone(),
            word => format!("{word} {}", declared.name),
        };
        let lead = self.lead.first().map_or(node.start_byte(), Node::start_byte);
        let exported = declared.exported;
        let ordinal = self.declare(declared)?;
        let scope = self.scope(node, lead, label, Some(ordinal));
        let prefix = self.out.symbols.last().map(|symbol| symbol.qualified.clone()).unwrap_or_default();
        self.frame(Some(ordinal), Some(kind), scope, prefix, exported);
        Some(ordinal)
    }

    /// Makes a node without a symbol the surrounding: a closure, or a key of a configuration file.
    pub(super) fn open_function(&mut self) {
        let scope = self.frames.last().and_then(|frame| frame.scope);
        let prefix = self.frames.last().map(|frame| frame.prefix.clone()).unwrap_or_default();
        self.frame(None, None, scope, prefix, false);
        self.mark_function();
    }

    /// Names a range that is not a symbol.
    pub(super) fn open_scope(&mut self, node: Node<'tree>, label: String) {
        let lead = self.lead.first().map_or(node.start_byte(), Node::start_byte);
        let scope = self.scope(node, lead, label, None);
        self.frame(None, None, scope, String::new(), false);
    }

    fn scope(&mut self, node: Node<'_>, lead: usize, label: String, symbol: Option<u32>) -> Option<usize> {
        let lead = self.out.scopes.last().map_or(lead, |scope| scope.lead.max(lead));
        let parent = self.frames.last().and_then(|frame| frame.scope);
        self.out.scopes.push(Scope { lead, start: node.start_byte(), end: node.end_byte(), label, parent, symbol });
        Some(self.out.scopes.len() - 1)
    }

    fn frame(
        &mut self,
        symbol: Option<u32>,
        kind: Option<SymbolKind>,
        scope: Option<usize>,
        prefix: String,
        exported: bool,
    ) {
        self.frames.push(Frame {
            depth: self.depth,
            symbol,
            kind,
            scope,
            prefix,
            exported,
            is_function: false,
            locals: HashSet::new(),
            type_parameters: HashSet::new(),
            this: None,
            first_ref: self.out.refs.len(),
        });
    }

    /// What was opened last runs: it has local names and hides what is inside.
    pub(super) fn mark_function(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.is_function = true;
        }
    }

    /// What was opened last lends this prefix, not its own name, to names inside.
    pub(super) fn set_prefix(&mut self, prefix: &str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.prefix = one_line(prefix, MAX_NAME_CHARS);
        }
    }

    pub(super) fn set_this(&mut self, name: &'tree str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.this = Some(name);
        }
    }

    pub(super) fn qualified(&self, name: &str) -> String {
        let prefix = self.frames.iter().rev().map(|frame| frame.prefix.as_str()).find(|prefix| !prefix.is_empty());
        match prefix {
            Some(prefix) => one_line(&format!("{prefix}{}{name}", self.separator), 2 * MAX_NAME_CHARS),
            None => name.to_owned(),
        }
    }

    /// Remembers a name of the nearest function that hides others.
    pub(super) fn local(&mut self, name: &'tree str) {
        if let Some(frame) = self.frames.iter_mut().rev().find(|frame| frame.is_function)
            && frame.this != Some(name)
        {
            frame.locals.insert(name);
        }
    }

    /// Remembers a type parameter of what was opened last.
    pub(super) fn type_parameter(&mut self, node: Node<'_>) {
        let name = self.text_of(node);
        self.declared_at.insert(node.start_byte());
        if let Some(frame) = self.frames.last_mut() {
            frame.type_parameters.insert(name);
        }
    }

    /// The name node of a declaration is not a mention.
    pub(super) fn not_a_mention(&mut self, node: Node<'_>) {
        self.declared_at.insert(node.start_byte());
    }

    /// Records a mention.
    pub(super) fn mention(&mut self, node: Node<'_>, kind: RefKind, receiver: Option<String>) {
        let name = self.name_of(node);
        if self.declared_at.contains(&node.start_byte()) {
            return;
        }
        self.mention_named(node, kind, name, receiver);
    }

    /// Records a mention under a name that is not the node's text.
    pub(super) fn mention_named(&mut self, node: Node<'_>, kind: RefKind, name: String, receiver: Option<String>) {
        if self.error_depth.is_some() || self.out.refs.len() >= MAX_REFS || name.is_empty() {
            return;
        }
        let this = self.frames.iter().rev().find_map(|frame| frame.this);
        let receiver =
            receiver.map(|receiver| if this == Some(receiver.as_str()) { "self".to_owned() } else { receiver });
        let enclosing = self.parent().and_then(|frame| frame.symbol);
        let line = clamp(node.start_position().row + 1);
        self.out.refs.push(Ref { name, receiver, kind, enclosing, line, count: 1 });
    }

    /// Records an import.
    pub(super) fn import(&mut self, node: Node<'_>, module: &str, names: Vec<ImportedName>, kind: ImportKind) {
        if self.out.imports.len() >= MAX_IMPORTS {
            return;
        }
        self.out.imports.push(Import {
            raw: one_line(self.text_of(node), MAX_SIGNATURE_CHARS),
            module: one_line(module, MAX_SIGNATURE_CHARS),
            names,
            kind,
            line: clamp(node.start_position().row + 1),
        });
    }

    /// Ends what was opened at the current depth.
    fn leave(&mut self) {
        if self.error_depth == Some(self.depth) {
            self.error_depth = None;
        }
        while self.frames.last().is_some_and(|frame| frame.depth >= self.depth) {
            let Some(frame) = self.frames.pop() else {
                return;
            };
            let hides = !frame.locals.is_empty() || !frame.type_parameters.is_empty();
            if !hides || self.frames.len() > MAX_NESTED_FUNCTIONS {
                continue;
            }
            let inside = self.out.refs.split_off(frame.first_ref.min(self.out.refs.len()));
            self.out.refs.extend(inside.into_iter().filter(|mention| !frame.hides(mention)));
        }
    }

    fn finish(self) -> Outline {
        let mut out = self.out;
        out.refs = merged(out.refs);
        out.imports.sort_by_key(|import| import.line);
        out
    }
}

impl Frame<'_> {
    fn hides(&self, mention: &Ref) -> bool {
        let first = head(mention.receiver.as_deref().unwrap_or(&mention.name));
        match mention.kind {
            RefKind::Call => self.locals.contains(first),
            _ => self.type_parameters.contains(first),
        }
    }
}

/// One mention per place and target, at its first line.
fn merged(refs: Vec<Ref>) -> Vec<Ref> {
    let mut known: BTreeMap<(Option<u32>, RefKind, Option<String>, String), usize> = BTreeMap::new();
    let mut merged: Vec<Ref> = Vec::new();
    for mention in refs {
        let key = (mention.enclosing, mention.kind, mention.receiver.clone(), mention.name.clone());
        match known.get(&key).and_then(|index| merged.get_mut(*index)) {
            Some(first) => first.count = first.count.saturating_add(1),
            None => {
                known.insert(key, merged.len());
                merged.push(mention);
            }
        }
    }
    merged.sort_by_key(|mention| mention.line);
    merged
}

fn end_line(first_row: usize, node: Node<'_>) -> u32 {
    let end = node.end_position();
    // A node that ends at the start of a line ends with the line before.
    let row = if end.column == 0 { end.row.saturating_sub(1) } else { end.row };
    clamp(row.max(first_row) + 1)
}

fn file_stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or(name);
    one_line(stem, MAX_NAME_CHARS)
}
