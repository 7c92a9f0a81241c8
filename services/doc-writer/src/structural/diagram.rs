//! Diagrams of module dependencies, as Mermaid, always beside a table that says the same.

use std::collections::{BTreeMap, BTreeSet};

use caffeine_store::doc_writer::ModuleEdgeRow;

use crate::facts::Facts;
use crate::markdown::{Sheet, fence, line};
use crate::plan::module_title;

/// Most nodes of a diagram: more cannot be read.
const MAX_NODES: usize = 40;
/// Most arrows of a diagram.
const MAX_ARROWS: usize = 120;

/// Draws the heaviest relations among these as a flow chart; nothing if there are none.
pub(super) fn flowchart(sheet: &mut Sheet<'_>, facts: &Facts, edges: &[&ModuleEdgeRow], emphasis: Option<&str>) {
    let mut heaviest = edges.to_vec();
    heaviest.sort_by(|left, right| {
        right.weight.cmp(&left.weight).then_with(|| (&left.src, &left.dst).cmp(&(&right.src, &right.dst)))
    });
    let mut nodes: BTreeSet<&str> = BTreeSet::new();
    let mut arrows: Vec<(&str, &str)> = Vec::new();
    for edge in heaviest {
        let new = [&edge.src, &edge.dst].into_iter().filter(|slug| !nodes.contains(slug.as_str())).count();
        if arrows.len() < MAX_ARROWS && nodes.len() + new <= MAX_NODES {
            nodes.extend([edge.src.as_str(), edge.dst.as_str()]);
            arrows.push((&edge.src, &edge.dst));
        }
    }
    if arrows.is_empty() {
        return;
    }
    arrows.sort_unstable();
    let numbers: BTreeMap<&str, usize> = nodes.iter().copied().zip(0..).collect();
    let mut chart = String::from("flowchart LR\n");
    for (slug, number) in &numbers {
        let name = facts.module(slug).map_or_else(|| (*slug).to_owned(), module_title);
        chart.push_str(&format!("  n{number}[\"{}\"]\n", label(&name)));
    }
    for (src, dst) in arrows {
        chart.push_str(&format!("  n{} --> n{}\n", numbers[src], numbers[dst]));
    }
    if let Some(number) = emphasis.and_then(|slug| numbers.get(slug)) {
        chart.push_str(&format!("  style n{number} stroke-width:3px\n"));
    }
    sheet.block(&fence("mermaid", &chart));
}

/// A label in quotes: letters, digits and what paths are made of; Mermaid reads markup in labels.
fn label(name: &str) -> String {
    let plain =
        |c: char| if c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ' ' | '@' | '+') { c } else { '_' };
    let short: String = line(name).chars().take(60).map(plain).collect();
    if short.is_empty() { "_".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_hold_no_markup() {
        assert_eq!(label("src/a\"b]<x>;`end`"), "src/a_b__x___end_");
        assert_eq!(label(""), "_");
    }
}
