//! The repository that most tests document: small, several languages, several batches' worth of one big file.

use caffeine_testkit::git::GitFixture;

/// Three modules in two languages, a manifest, a README and enough bulk for a second batch.
pub(crate) fn repository() -> GitFixture {
    // Long comments: bytes without many symbols.
    let bulk = |seed: usize| -> String {
        let comment =
            "// A line of a comment that is there to fill a batch, and says nothing else at all.\n".repeat(20);
        (0..250).map(|item| format!("{comment}pub const VALUE_{seed}_{item}: u32 = {item};\n")).collect()
    };
    GitFixture::with_files([
        ("Cargo.toml", "[package]\nname = \"fixture\"\nversion = \"1.2.3\"\ndescription = \"A fixture.\"\n".to_owned()),
        ("README.md", "# Fixture\n\nA small repository that has everything once.\n".to_owned()),
        (
            "src/lib.rs",
            "//! Adds and greets.\n\nmod text;\n\n/// Adds two numbers.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\n/// Greets.\npub fn greet(name: &str) -> String {\n    text::join(\"hello\", name)\n}\n".to_owned(),
        ),
        ("src/text.rs", "/// Joins two words.\npub fn join(a: &str, b: &str) -> String {\n    format!(\"{a} {b}\")\n}\n".to_owned()),
        ("src/bulk_one.rs", bulk(1)),
        ("src/bulk_two.rs", bulk(2)),
        ("src/bulk_three.rs", bulk(3)),
        ("tools/run.py", "\"\"\"Runs things.\"\"\"\n\n\ndef run(name: str) -> int:\n    \"\"\"Run it by name.\"\"\"\n    return len(name)\n".to_owned()),
    ])
}
