//! Diagrams of dependencies, as Mermaid, always beside a table that says the same.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::MAX_GROUPS;
use crate::markdown::{Sheet, fence, line};

/// Most arrows of a diagram.
const MAX_ARROWS: usize = 25;

/// Draws the first of these relations, by name, as a flow chart; nothing if there are none. Answers with how many it
/// left out.
pub(super) fn flowchart(sheet: &mut Sheet<'_>, relations: &[(String, String)], emphasis: Option<&str>) -> usize {
    let mut nodes: BTreeSet<&str> = BTreeSet::new();
    let mut arrows: Vec<(&str, &str)> = Vec::new();
    for (src, dst) in relations {
        let new = [src, dst].into_iter().filter(|name| !nodes.contains(name.as_str())).count();
        if arrows.len() < MAX_ARROWS && nodes.len() + new <= MAX_GROUPS {
            nodes.extend([src.as_str(), dst.as_str()]);
            arrows.push((src, dst));
        }
    }
    if arrows.is_empty() {
        return relations.len();
    }
    arrows.sort_unstable();
    let numbers: BTreeMap<&str, usize> = nodes.iter().copied().zip(0..).collect();
    let mut chart = String::from("flowchart LR\n");
    for (name, number) in &numbers {
        chart.push_str(&format!("  n{number}[\"{}\"]\n", label(name)));
    }
    for (src, dst) in &arrows {
        chart.push_str(&format!("  n{} --> n{}\n", numbers[src], numbers[dst]));
    }
    if let Some(number) = emphasis.and_then(|name| numbers.get(name)) {
        chart.push_str(&format!("  style n{number} stroke-width:3px\n"));
    }
    sheet.block(&fence("mermaid", &chart));
    relations.len() - arrows.len()
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
