//! Questions about nodes that every language asks.

use tree_sitter::Node;

use crate::text::one_line;

/// The longest name that is kept, in characters.
pub(super) const MAX_NAME_CHARS: usize = 200;

/// The longest receiver that is kept, in bytes.
const MAX_RECEIVER_BYTES: usize = 200;

/// The most nodes looked at inside one pattern or type.
const MAX_INSIDE: usize = 2_000;

/// The text of a node.
pub(super) fn text_of<'text>(text: &'text str, node: Node<'_>) -> &'text str {
    text.get(node.byte_range()).unwrap_or_default()
}

/// A field's node.
pub(super) fn field<'tree>(node: Node<'tree>, name: &str) -> Option<Node<'tree>> {
    node.child_by_field_name(name)
}

/// A name, bounded.
pub(super) fn name_of(text: &str, node: Node<'_>) -> String {
    one_line(text_of(text, node), MAX_NAME_CHARS)
}

/// The first child of a kind among the first few (where modifiers stand).
pub(super) fn early_child<'tree>(node: Node<'tree>, kind: &str) -> Option<Node<'tree>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).take(12).find(|child| child.kind() == kind)
}

/// All named children, bounded.
pub(super) fn named_children<'tree>(node: Node<'tree>) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).take(20_000).collect()
}

/// All children of a field, bounded.
pub(super) fn children_of_field<'tree>(node: Node<'tree>, name: &str) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.children_by_field_name(name, &mut cursor).take(20_000).collect()
}

/// Every node inside (and the node itself) in order, not entering those for which `enter` says no.
pub(super) fn inside<'tree>(node: Node<'tree>, mut enter: impl FnMut(Node<'tree>) -> bool) {
    let mut waiting = vec![node];
    let mut seen = 0;
    while let Some(next) = waiting.pop() {
        seen += 1;
        if seen > MAX_INSIDE {
            return;
        }
        if enter(next) {
            let mut cursor = next.walk();
            let first = waiting.len();
            waiting.extend(next.named_children(&mut cursor).take(MAX_INSIDE));
            if let Some(added) = waiting.get_mut(first..) {
                added.reverse();
            }
        }
    }
}

/// A chain of names (`a.b`, `crate::a`) without whitespace, if the node is nothing but that.
pub(super) fn chain(text: &str, node: Node<'_>) -> Option<String> {
    let written = text_of(text, node);
    if written.is_empty() || written.len() > MAX_RECEIVER_BYTES {
        return None;
    }
    let compact: String = written.split_whitespace().collect();
    let is_chain = compact
        .chars()
        .all(|character| character.is_alphanumeric() || matches!(character, '_' | '.' | ':' | '$' | '#'));
    (is_chain && !compact.starts_with(|character: char| character.is_ascii_digit())).then_some(compact)
}

/// The first name of a chain.
pub(super) fn head(chain: &str) -> &str {
    chain.split(['.', ':']).next().unwrap_or(chain)
}
