//! Placeholders: one pass, known names only, values never read again.

/// What the placeholders stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values<'text> {
    /// `{language}`: the programming language.
    pub language: &'text str,
    /// `{style}`.
    pub style: &'text str,
    /// `{output_language}`: the language of the prose.
    pub output_language: &'text str,
}

/// A piece of a rendered template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The operator's words.
    Text(String),
    /// The slot `{code}`: repository text goes here, fenced.
    Code,
}

/// Fills a template. Braces around anything but a known name stay as they are.
#[must_use]
pub fn render(body: &str, values: &Values<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = body;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{code}") {
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Code);
            rest = after;
        } else if let Some((value, after)) = known(rest, values) {
            text.push_str(value);
            rest = after;
        } else {
            text.push('{');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    parts.retain(|part| *part != Part::Text(String::new()));
    parts
}

/// Fills the system part, where repository text has no place: `{code}` stays as it is.
#[must_use]
pub fn render_system(system: &str, values: &Values<'_>) -> String {
    let parts = render(system, values);
    parts.into_iter().map(|part| if let Part::Text(text) = part { text } else { "{code}".to_owned() }).collect()
}

fn known<'text>(text: &'text str, values: &Values<'text>) -> Option<(&'text str, &'text str)> {
    let names =
        [("{language}", values.language), ("{style}", values.style), ("{output_language}", values.output_language)];
    names.into_iter().find_map(|(name, value)| Some((value, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part, Values, render, render_system};

    const VALUES: Values<'static> = Values { language: "rust", style: "{code}{language}", output_language: "de" };

    #[test]
    fn one_pass_over_known_names() {
        let cases: [(&str, Vec<Part>); 5] = [
            ("", vec![]),
            ("{code}", vec![Part::Code]),
            ("a {language} b", vec![Part::Text("a rust b".to_owned())]),
            ("{style}", vec![Part::Text("{code}{language}".to_owned())]),
            (
                "{ {x} {{code}} {\"k\": 1} {output_language",
                vec![
                    Part::Text("{ {x} {".to_owned()),
                    Part::Code,
                    Part::Text("} {\"k\": 1} {output_language".to_owned()),
                ],
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(render(body, &VALUES), expected, "{body}");
        }
        assert_eq!(render_system("{code} {language}", &VALUES), "{code} rust");
    }

    proptest! {
        /// Each slot comes from the body, none from a value; without names nothing changes.
        #[test]
        fn values_are_never_read_again(
            body in "(\\{code\\}|\\{style\\}|\\{language\\}|[{}a-z\\n]|\\PC){0,30}",
            style in "(\\{code\\}|\\{style\\}|[{}]){0,5}",
        ) {
            let values = Values { language: "{code}", style: &style, output_language: "{style}" };
            let parts = render(&body, &values);
            let slots = parts.iter().filter(|part| **part == Part::Code).count();
            prop_assert_eq!(slots, body.matches("{code}").count());
            let mut expected = body.replace("{code}", "\u{1}").replace("{output_language}", "\u{2}");
            expected = expected.replace("{language}", "\u{3}").replace("{style}", "\u{4}");
            expected = expected.replace('\u{4}', &style).replace('\u{3}', "{code}").replace('\u{2}', "{style}");
            let joined: String = parts
                .iter()
                .map(|part| if let Part::Text(text) = part { text.as_str() } else { "\u{1}" })
                .collect();
            prop_assert_eq!(joined, expected);
        }
    }
}
