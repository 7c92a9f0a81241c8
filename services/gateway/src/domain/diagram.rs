//! Mermaid diagrams as pictures. Their text is foreign: a repository's names, or a model's words.
//!
//! What comes out is shown as an image, where nothing runs and nothing is loaded, under a policy of its own. Still it
//! must not hold anything that could: [`is_tame`] looks, whatever the renderer promises.

use std::time::Duration;

use merman::svg::{RenderResourcePolicy, SvgPipeline};
use merman::{
    Engine, MermaidConfig, OperationControl, ParseOptions, RenderOutput, RenderRequest, Renderer, SvgEnvironment,
    SvgRequest,
};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use sha2::{Digest as _, Sha256};

/// The longest text of a diagram, in bytes.
const MAX_SOURCE: usize = 64 * 1024;
/// The largest picture, in bytes.
const MAX_PICTURE: usize = 2 * 1024 * 1024;
/// How long one may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// Hexadecimal digits of a name.
const NAME_LENGTH: usize = 32;

/// How a picture looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Look {
    Light,
    Dark,
}

/// Why there is no picture.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DiagramError {
    #[error("The diagram is larger than can be drawn.")]
    TooLarge,
    #[error("The diagram cannot be read: {0}")]
    Unreadable(String),
    #[error("The diagram holds something that a picture must not.")]
    Wild,
}

/// The name of a diagram: the first half of the hash of its text, without the line end at its end.
pub(crate) fn name(source: &str) -> String {
    let mut text = hex::encode(Sha256::digest(source.trim_end_matches('\n')));
    text.truncate(NAME_LENGTH);
    text
}

/// Whether a text is such a name.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() == NAME_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The text of the diagram of this name in a page.
pub(crate) fn find(markdown: &str, wanted: &str) -> Option<String> {
    let mut source: Option<String> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "mermaid" => {
                source = Some(String::new());
            }
            Event::Text(text) => {
                if let Some(source) = &mut source {
                    source.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some(found) = source.take().filter(|source| name(source) == wanted) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// Draws a diagram. Bounded in time and size; equal texts give equal pictures.
///
/// # Errors
/// See [`DiagramError`].
pub(crate) fn draw(source: &str, look: Look) -> Result<String, DiagramError> {
    if source.len() > MAX_SOURCE {
        return Err(DiagramError::TooLarge);
    }
    let source = without_links(source);
    let theme = match look {
        Look::Light => "neutral",
        Look::Dark => "dark",
    };
    let config = serde_json::json!({
        "theme": theme,
        "fontFamily": "system-ui, sans-serif",
        "securityLevel": "strict",
        "htmlLabels": false,
        "flowchart": { "htmlLabels": false },
    });
    let renderer = Renderer::new()
        .with_engine(Engine::new().with_site_config(MermaidConfig::from_value(config)))
        .with_parse_options(ParseOptions::strict());
    let request = SvgRequest {
        environment: SvgEnvironment::deterministic().with_resource_policy(RenderResourcePolicy::interactive()),
        // For readers without HTML, as images are.
        pipeline: Some(SvgPipeline::resvg_safe()),
        ..SvgRequest::default()
    };
    let control = OperationControl::new().with_deadline(DEADLINE);
    let drawn = renderer.render(RenderRequest::svg(&source, control, request));
    let svg = match drawn {
        Ok(RenderOutput::Svg(Some(svg))) => svg.into_parts().0,
        Ok(_) => return Err(DiagramError::Unreadable("its first word names no kind of diagram.".to_owned())),
        Err(merman::RenderError::Cancelled(_) | merman::RenderError::ResourceLimitExceeded(_)) => {
            return Err(DiagramError::TooLarge);
        }
        Err(error) => return Err(DiagramError::Unreadable(error.to_string().chars().take(200).collect())),
    };
    if svg.len() > MAX_PICTURE {
        return Err(DiagramError::TooLarge);
    }
    if is_tame(&svg) { Ok(svg) } else { Err(DiagramError::Wild) }
}

/// The diagram without its lines that lead elsewhere or call something: in a picture they are dead, and nothing of ours
/// has them.
fn without_links(source: &str) -> String {
    let leads = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        matches!(word, "click" | "link" | "links" | "callback" | "href")
    };
    source.lines().filter(|line| !leads(line)).flat_map(|line| [line, "\n"]).collect()
}

/// What no picture may hold, in lower case.
const WILD: &[&str] = &[
    "<script",
    "<foreignobject",
    "<iframe",
    "<object",
    "<embed",
    "<image",
    "<animate",
    "<set ",
    "<!doctype",
    "<!entity",
    "<?",
    "@import",
    "@font-face",
    "href=\"http",
    "href=\"//",
    "href=\"data",
    "href=\"javascript",
];

/// Whether a picture has nothing that runs, loads or leads elsewhere. Stricter than it must be: a label that looks like
/// it costs its diagram.
fn is_tame(svg: &str) -> bool {
    let lower = svg.to_ascii_lowercase();
    // Only parts of the picture itself.
    let is_own = |place: &str| place.trim_start_matches(['"', '\'', ' ']).replacen("&quot;", "", 1).starts_with('#');
    lower.starts_with("<svg")
        && !WILD.iter().any(|word| lower.contains(word))
        && !has_handler(&lower)
        && lower.split("url(").skip(1).all(is_own)
}

/// Whether an element has an attribute such as `onload`: one within a tag, outside of quotes.
fn has_handler(svg: &str) -> bool {
    let (mut in_tag, mut quote, mut previous) = (false, None, ' ');
    for (at, c) in svg.char_indices() {
        match (in_tag, quote, c) {
            (false, _, '<') => in_tag = true,
            (true, None, '>') => in_tag = false,
            (true, None, '"' | '\'') => quote = Some(c),
            (true, Some(open), c) if c == open => quote = None,
            (true, None, 'o') if previous.is_whitespace() && svg[at..].starts_with("on") => return true,
            _ => {}
        }
        previous = c;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{DiagramError, Look, draw, find, is_name, is_tame, name};

    const CHART: &str = "flowchart LR\n  n0[\"services/gateway\"]\n  n1[\"crates/store\"]\n  n0 --> n1\n";

    #[test]
    fn a_diagram_is_found_by_its_name() {
        let page = format!("# A\n\n```mermaid\n{CHART}```\n\n```rust\nfn a() {{}}\n```\n\n````mermaid\npie\n````\n");
        assert_eq!(find(&page, &name(CHART)).as_deref(), Some(CHART));
        assert_eq!(find(&page, &name(CHART.trim_end())).as_deref(), Some(CHART), "the last line end does not count");
        assert_eq!(find(&page, &name("pie")).as_deref(), Some("pie\n"));
        assert_eq!(find(&page, &name("fn a() {}")), None, "another language");
        assert!(is_name(&name(CHART)));
        for text in ["", "..", &"A".repeat(32), &"0".repeat(31), &"g".repeat(32)] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn what_we_write_ourselves_is_drawn() {
        for (source, word) in [
            (CHART, "services/gateway"),
            ("sequenceDiagram\n  participant G as gateway\n  G->>N: clone.requested\n", "clone.requested"),
            ("stateDiagram-v2\n  [*] --> queued\n  queued --> [*]\n", "queued"),
            ("erDiagram\n  RUN ||--o{ DOCUMENT : writes\n", "writes"),
            ("classDiagram\n  class Store\n  Store <|-- Bus\n", "Store"),
        ] {
            for look in [Look::Light, Look::Dark] {
                let svg = draw(source, look).unwrap();
                assert!(svg.starts_with("<svg") && svg.contains(word), "{source}: {svg}");
                assert_eq!(svg, draw(source, look).unwrap(), "{source}");
            }
        }
    }

    #[test]
    fn hostile_diagrams_are_drawn_tame_or_not_at_all() {
        for source in [
            "flowchart TD\n A[\"<img src=x onerror=alert(1)><script>alert(2)</script>\"] --> B[\"javascript:alert(3)\"]\n \
             click A \"javascript:alert(4)\" \"tip\"\n click B call evil()\n style A fill:url(https://evil.example/x)\n \
             classDef x background:url(https://evil.example/y)\n class B x\n linkStyle 0 stroke:url(//evil.example/z)",
            "%%{init: {\"securityLevel\":\"loose\",\"themeCSS\":\"@import url(https://evil.example/a.css);\",\
             \"fontFamily\":\"x;}</style><script>alert(1)</script>\"}}%%\nflowchart LR\n A[x] --> B[y]",
            "flowchart LR\n A@{ img: \"https://evil.example/a.png\", label: \"x\" }",
            "flowchart LR\n A --> B\n click A href \"https://evil.example\" _blank",
            "---\ntitle: \"</title><script>alert(1)</script>\"\n---\nflowchart LR\n A --> B",
        ] {
            if let Ok(svg) = draw(source, Look::Light) {
                assert!(is_tame(&svg), "{svg}");
                assert!(!svg.contains("//evil.example") && !svg.contains("<script"), "{svg}");
            }
        }
        let linked =
            draw("flowchart LR\n A --> B\n click A href \"https://evil.example\" _blank\n", Look::Light).unwrap();
        assert!(linked.contains('B') && !linked.contains("evil.example"), "{linked}");
    }

    #[test]
    fn large_diagrams_come_to_an_end() {
        let started = std::time::Instant::now();
        let mut many = "flowchart TD\n".to_owned();
        (0..3_000).for_each(|n| many.push_str(&format!(" n{n} --> n{}\n", n * 7 % 3_000)));
        let deep = format!("flowchart TD\n{}x-->y\n{}", "subgraph a\n".repeat(2_000), "end\n".repeat(2_000));
        let long = format!("flowchart TD\n A[{}] --> B", "x".repeat(60_000));
        for source in [many, deep, long, "x".repeat(65 * 1024)] {
            let _ = draw(&source, Look::Light);
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
        assert_eq!(draw(&"x".repeat(65 * 1024), Look::Light), Err(DiagramError::TooLarge));
        assert!(matches!(draw("no diagram", Look::Light), Err(DiagramError::Unreadable(_))));
        assert!(matches!(draw("", Look::Light), Err(DiagramError::Unreadable(_))));
    }

    #[test]
    fn wild_pictures() {
        for (svg, tame) in [
            ("<svg><a><text>on time, onload=x</text></a></svg>", true),
            ("<svg><rect fill=\"url(#a)\"/></svg>", true),
            ("<svg><rect onload=\"x\"/></svg>", false),
            ("<svg ONLOAD='x'></svg>", false),
            ("<svg><rect class=\"a onb\"/></svg>", true),
            ("<svg><SCRIPT/></svg>", false),
            ("<svg><rect fill=\"url(https://evil.example)\"/></svg>", false),
            ("<svg><a href=\"https://evil.example\"/></svg>", false),
            ("<p>", false),
        ] {
            assert_eq!(is_tame(svg), tame, "{svg}");
        }
    }
}
