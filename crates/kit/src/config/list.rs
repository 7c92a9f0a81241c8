//! Lists in an environment variable, where nobody wants to quote brackets and quotes past a shell.

/// How to write a list in a variable.
pub(super) const HOW_IN_A_VARIABLE: &str = "separate its items by commas (first,second), or write [\"…\", \"…\"]";
/// How to write a list in the file.
pub(super) const HOW_IN_A_FILE: &str = "write [\"…\", \"…\"]";

/// Whether a setting that expects this (serde's words) is a list.
pub(super) fn is_wanted(expected: &str) -> bool {
    expected.contains("sequence")
}

/// The items of a list as text, without surrounding blanks; empty ones are left out. `None` if the text looks like the
/// TOML form gone wrong: quotes, braces, or brackets that do not close within an item (those of `[::1]:443` do).
pub(super) fn items(text: &str) -> Option<Vec<String>> {
    let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    let odd =
        |item: &&str| item.contains(['"', '\'', '{', '}']) || item.matches('[').count() != item.matches(']').count();
    if items.iter().any(odd) {
        return None;
    }
    Some(items.into_iter().map(str::to_owned).collect())
}
