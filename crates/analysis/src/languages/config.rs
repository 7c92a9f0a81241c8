//! JSON and TOML: no symbols, but key paths for the places of chunks.

use tree_sitter::Node;

use super::nodes::{field, named_children};
use super::walk::{Speaker, Step, Walk};
use crate::text::one_line;

/// Deeper keys do not help to find something.
const MAX_KEY_DEPTH: usize = 3;

#[derive(Default)]
pub(super) struct Config;

impl Speaker for Config {
    const SEPARATOR: &'static str = ".";

    fn enter<'tree>(&mut self, walk: &mut Walk<'tree>, node: Node<'tree>) -> Step {
        let key = match node.kind() {
            "pair" => field(node, "key").or_else(|| named_children(node).into_iter().next()),
            "table" | "table_array_element" => named_children(node).into_iter().next(),
            _ => return Step::Descend,
        };
        if let Some(key) = key
            && walk.frames.len() < MAX_KEY_DEPTH
        {
            let label = walk.text_of(key).trim_matches(['"', '\'']);
            walk.open_scope(node, one_line(label, 60));
        }
        Step::Descend
    }
}
