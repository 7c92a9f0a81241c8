//! Looks at finished Markdown the way a reader's program does.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// Something that must not be in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// HTML.
    Html(String),
    /// An image.
    Image(String),
    /// A link that is neither to a page nor to lines of a file.
    Link(String),
}

/// Everything in the text that must not be there.
#[must_use]
pub fn check(markdown: &str) -> Vec<Finding> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    Parser::new_ext(markdown, options)
        .filter_map(|event| match event {
            Event::Html(html) | Event::InlineHtml(html) => Some(Finding::Html(html.into_string())),
            Event::Start(Tag::Image { dest_url, .. }) => Some(Finding::Image(dest_url.into_string())),
            Event::Start(Tag::Link { dest_url, .. }) if !is_ours(&dest_url) => {
                Some(Finding::Link(dest_url.into_string()))
            }
            _ => None,
        })
        .collect()
}

/// `<slug>.md` or `sources/<path>#L<n>[-L<n>]`.
fn is_ours(address: &str) -> bool {
    if let Some(source) = address.strip_prefix("sources/") {
        let (path, lines) = source.split_once("#L").unwrap_or((source, ""));
        let is_path = !path.is_empty() && !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        return is_path && lines.starts_with(|c: char| c.is_ascii_digit());
    }
    let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    address.strip_suffix(".md").is_some_and(|slug| !slug.is_empty() && slug.chars().all(is_slug))
}

#[cfg(test)]
mod tests {
    use super::{Finding, check};

    #[test]
    fn finds_what_must_not_be_there() {
        assert_eq!(check("[a](module-x.md) [b](sources/a/b.rs#L1-L2) `<b>`"), []);
        assert_eq!(check("a <b>"), [Finding::Html("<b>".to_owned())]);
        assert_eq!(check("![x](y.png)"), [Finding::Image("y.png".to_owned())]);
        for link in ["https://x", "javascript:x", "../x.md", "sources/../x#L1", "sources/x", "sources/#L1"] {
            assert_eq!(check(&format!("[a]({link})")), [Finding::Link(link.to_owned())]);
        }
        assert_eq!(check("<https://x>"), [Finding::Link("https://x".to_owned())]);
    }
}
