//! Cutting a syntax tree: what belongs to a declaration stays with it.

use tree_sitter::Node;

use super::cover::Splittable;
use super::measure::Measure;

impl Splittable for Node<'_> {
    fn parts(self, measure: &Measure<'_>) -> Vec<(Self, usize)> {
        let mut cursor = self.walk();
        if !cursor.goto_first_child() {
            return Vec::new();
        }
        let mut parts: Vec<(Self, usize)> = Vec::new();
        // Whether the last part is a comment or attribute that the next node takes along.
        let mut is_lead = false;
        loop {
            let node = cursor.node();
            let gap = match parts.last_mut() {
                Some((_, end)) => {
                    let gap = measure.text.get(*end..node.start_byte()).unwrap_or_default();
                    // The line end belongs to what it ends, blank lines and indentation to what follows.
                    if let Some(line_end) = gap.find('\n') {
                        *end += line_end + 1;
                    }
                    Some(gap.bytes().filter(|byte| *byte == b'\n').count())
                }
                None => None,
            };
            let lead = leads(node.kind());
            match parts.last_mut() {
                // A comment behind something on its line, or the declaration that the lead was for.
                Some(last)
                    if (gap == Some(0) && lead && !is_lead) || (is_lead && gap.is_some_and(|lines| lines < 2)) =>
                {
                    if is_lead {
                        last.0 = node;
                    }
                    last.1 = node.end_byte();
                    is_lead = is_lead && lead;
                }
                _ => {
                    parts.push((node, node.end_byte()));
                    is_lead = lead;
                }
            }
            if !cursor.goto_next_sibling() {
                return parts;
            }
        }
    }
}

fn leads(kind: &str) -> bool {
    kind.ends_with("comment") || matches!(kind, "attribute_item" | "decorator" | "annotation" | "marker_annotation")
}
