//! How texts are cut, on sources whose best cuts are known.

use caffeine_analysis::{ChunkKind, FileAnalysis, analyse};

fn function(name: &str, lines: usize) -> String {
    let body: String = (0..lines).map(|line| format!("    let value_{line} = compute_something({line});\n")).collect();
    format!("/// About {name}.\n#[inline]\nfn {name}() {{\n{body}}}\n\n")
}

fn places(analysis: &FileAnalysis) -> Vec<(&str, u32, u32)> {
    analysis.chunks.iter().map(|chunk| (chunk.scope.as_str(), chunk.start_line, chunk.end_line)).collect()
}

#[test]
fn functions_stay_whole_and_keep_their_comments() {
    let text = format!("//! Head.\n\n{}{}{}", function("first", 25), function("second", 25), function("third", 25));
    let analysis = analyse("a.rs", text.as_bytes());
    assert_eq!(places(&analysis), [("", 1, 31), ("fn second", 33, 61), ("fn third", 63, 91)]);
    assert!(analysis.chunks.iter().all(|chunk| chunk.kind == ChunkKind::Code && chunk.signature.is_none()));
}

#[test]
fn a_long_method_says_where_it_is() {
    let text = format!("impl Foo {{\n{}}}\n", function("long", 90));
    let analysis = analyse("a.rs", text.as_bytes());
    assert!(analysis.chunks.len() >= 3);
    let (first, rest) = analysis.chunks.split_first().expect("there are chunks");
    assert_eq!((first.scope.as_str(), first.start_line, first.signature.as_deref()), ("impl Foo", 1, None));
    let inner = &rest[..rest.len() - 1];
    for chunk in inner {
        assert_eq!((chunk.scope.as_str(), chunk.signature.as_deref()), ("impl Foo > fn long", Some("fn long()")));
        assert_eq!(chunk.symbol.as_deref(), Some("Foo::long"));
    }
}

#[test]
fn headings_are_breadcrumbs() {
    let section = |title: &str| format!("## {title}\n\n{}\n", "Some words about it, and more of them.\n".repeat(38));
    let text = format!("# Guide\n\n{}\n{}{}", "Before all.\n".repeat(10), section("One"), section("Two"));
    let analysis = analyse("docs/a.md", text.as_bytes());
    let scopes: Vec<&str> = analysis.chunks.iter().map(|chunk| chunk.scope.as_str()).collect();
    assert_eq!(scopes, ["Guide", "Guide > One", "Guide > Two"]);
    assert!(analysis.chunks.iter().all(|chunk| chunk.kind == ChunkKind::Prose));
}

#[test]
fn configuration_is_cut_at_its_keys() {
    let table =
        |name: &str| format!("[{name}]\n{}\n", "key_of_some_length = \"and a value of some length\"\n".repeat(25));
    let text = format!("{}{}", table("one.two"), table("three"));
    let analysis = analyse("a.toml", text.as_bytes());
    assert_eq!(places(&analysis), [("one.two", 1, 26), ("three", 28, 53)]);
    let pairs: String = (0..25).map(|at| format!("    key_{at}: some value that is long\n")).collect();
    let yaml = format!("jobs:\n  build:\n{pairs}  test:\n{pairs}");
    let analysis = analyse("ci.yaml", yaml.as_bytes());
    let scopes: Vec<&str> = analysis.chunks.iter().map(|chunk| chunk.scope.as_str()).collect();
    assert!(scopes.iter().all(|scope| scope.starts_with("jobs")), "{scopes:?}");
}

#[test]
fn text_is_cut_between_paragraphs() {
    let paragraph = format!("{}\n\n", "Words that make a paragraph of text.\n".repeat(12).trim_end());
    let analysis = analyse("notes.txt", paragraph.repeat(9).as_bytes());
    let starts: Vec<u32> = analysis.chunks.iter().map(|chunk| chunk.start_line).collect();
    assert!(starts.len() > 2 && starts.iter().all(|line| line % 13 == 1), "{starts:?}");
}
