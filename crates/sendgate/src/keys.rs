//! Private keys in PEM, whole or in pieces, as chunks cut them. Searched line by line and by hand:
//! a pattern that runs to an end which may be missing costs a scan of the rest for every beginning.
//!
//! Three shapes are found: from a `BEGIN` marker to its `END`, or as far as the lines look like a
//! key; a block of base64 lines that ends with an `END` marker; and a block of long base64 lines
//! with neither, which is the middle of a key, or of a certificate that nobody will miss.

use crate::redact::Span;

pub(crate) const RULE: &str = "private-key";

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const KIND: &str = "PRIVATE KEY";
/// Most lines from a beginning to its end. An RSA key of 16,384 bits has about 200.
const MAX_KEY_LINES: usize = 400;
/// Base64 lines of a PEM body have 64 characters, in some files 70 or 76; the last one has fewer.
const LONG_LINE: std::ops::RangeInclusive<usize> = 60..=80;
/// Long base64 lines in a row that are taken for a key without any marker.
const MIN_BARE_LINES: usize = 3;

pub(crate) fn find(text: &str) -> Vec<Span> {
    let lines = lines(text);
    let mut spans = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (line_start, line) = lines[at];
        if let Some(column) = marker(line, BEGIN) {
            let (end, next) = key_end(&lines, at, column);
            spans.push(Span {
                start: line_start + column,
                end,
                rule: RULE,
            });
            at = next;
            continue;
        }
        let body = lines[at..]
            .iter()
            .take_while(|(_, line)| is_body(line))
            .count();
        if body == 0 {
            at += 1;
            continue;
        }
        let after = at + body;
        let ended = lines
            .get(after)
            .filter(|(_, line)| marker(line, END).is_some());
        let long = lines[at..after]
            .iter()
            .filter(|(_, line)| is_long(line))
            .count();
        if let Some((start, line)) = ended {
            spans.push(Span {
                start: line_start,
                end: start + line.len(),
                rule: RULE,
            });
        } else if long >= MIN_BARE_LINES {
            let (start, line) = lines[after - 1];
            spans.push(Span {
                start: line_start,
                end: start + line.len(),
                rule: RULE,
            });
        }
        at = after;
    }
    spans
}

/// The lines without their ends, and where they begin.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let begin = start;
            start += line.len();
            (begin, line.trim_end_matches(['\n', '\r']))
        })
        .collect()
}

/// Where in the line a marker of a private key begins.
fn marker(line: &str, dashes: &str) -> Option<usize> {
    let column = line.find(dashes)?;
    let kind = line[column + dashes.len()..]
        .split("-----")
        .next()
        .unwrap_or_default();
    kind.contains(KIND).then_some(column)
}

/// The end of a key that begins on line `at`: the offset, and the first line after it.
fn key_end(lines: &[(usize, &str)], at: usize, column: usize) -> (usize, usize) {
    let last = lines.len().min(at + MAX_KEY_LINES);
    for (index, (start, line)) in lines[..last].iter().enumerate().skip(at) {
        let from = if index == at { column + BEGIN.len() } else { 0 };
        if let Some(end) = marker(&line[from..], END) {
            let kind = from + end + END.len();
            let closing = line[kind..]
                .find("-----")
                .map_or(line.len(), |dashes| kind + dashes + 5);
            return (start + closing, index + 1);
        }
        // Another beginning: this one was only mentioned, or cut off.
        if index > at && marker(line, BEGIN).is_some() {
            break;
        }
    }
    // No end: as many lines as can belong to a key. The rest of the first line goes with them, as
    // a key in a string literal is one long line.
    let body = lines[at + 1..last]
        .iter()
        .take_while(|(_, line)| is_body(line) || is_header(line));
    let next = at + 1 + body.count();
    let (start, line) = lines[next - 1];
    (start + line.len(), next)
}

/// Whether the line can be the body of a key: base64 and nothing else, but for quotes, commas and
/// escapes of a string literal around it.
fn is_body(line: &str) -> bool {
    let line = inner(line);
    line.len() >= 4
        && line.bytes().all(is_base64)
        && (line.len() >= *LONG_LINE.start() || line.ends_with('=') || has_mixed(line))
}

fn is_long(line: &str) -> bool {
    LONG_LINE.contains(&inner(line).len())
}

/// A short line of a key has letters of both cases or digits among letters, ordinary words do not.
fn has_mixed(line: &str) -> bool {
    let upper = line.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = line.bytes().any(|byte| byte.is_ascii_lowercase());
    let digit = line.bytes().any(|byte| byte.is_ascii_digit());
    upper && lower && digit
}

fn is_header(line: &str) -> bool {
    let line = inner(line);
    line.is_empty() || line.starts_with("Proc-Type:") || line.starts_with("DEK-Info:")
}

fn inner(line: &str) -> &str {
    let around: &[char] = &[
        ' ', '\t', '"', '\'', '`', ',', '+', '\\', '#', '*', '>', '|',
    ];
    let line = line.trim_matches(around);
    let line = line.strip_suffix("\\n").unwrap_or(line);
    line.trim_matches(['"', '\''])
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "MIIEowIBAAKCAQEAx8Zt0qQ2m9dYx1v5ZsT3hX7Qn2bJ4cK6wL8pR0uV1yA3eD5f";
    const TAIL: &str = "q3Zk9w==";

    /// What is taken out of the text.
    fn found(text: &str) -> Vec<&str> {
        find(text)
            .iter()
            .map(|span| &text[span.start..span.end])
            .collect()
    }

    #[test]
    fn whole_keys_are_found_wherever_they_stand() {
        let kinds = [
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        ];
        for kind in kinds {
            let key = format!("-----BEGIN {kind}-----\n{LINE}\n{TAIL}\n-----END {kind}-----");
            assert_eq!(found(&format!("a = '''{key}'''\nb = 1\n")), [key.as_str()]);
            let escaped = key.replace('\n', "\\n");
            assert_eq!(
                found(&format!("a = \"{escaped}\", b = 1\n")),
                [escaped.as_str()]
            );
        }
    }

    #[test]
    fn pieces_of_keys_are_found() {
        let cut_after = format!("let x = 1;\n-----BEGIN PRIVATE KEY-----\n\n{LINE}\n{LINE}\n");
        assert_eq!(found(&cut_after), [&cut_after[11..cut_after.len() - 1]]);
        let cut_before = format!("{LINE}\n{TAIL}\n-----END PRIVATE KEY-----\nlet x = 1;\n");
        assert_eq!(found(&cut_before), [&cut_before[..cut_before.len() - 12]]);
        let middle = format!("{LINE}\n{LINE}\n{LINE}\n");
        assert_eq!(found(&middle), [middle.trim_end()]);
    }

    #[test]
    fn other_text_is_left_alone() {
        let texts = [
            "",
            "abcd\nefgh\nijkl\nmnop\n",
            "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n",
            "see BEGIN PRIVATE KEY in the manual\n",
            "one\ntwo\nthree\n-----END CERTIFICATE-----\n",
        ];
        for text in texts {
            assert_eq!(found(text), Vec::<&str>::new(), "{text:?}");
        }
    }

    #[test]
    fn a_mention_costs_its_line_only() {
        let text = "if (s.startsWith('-----BEGIN PRIVATE KEY-----')) {\n  parse(s);\n}\n";
        assert_eq!(found(text), ["-----BEGIN PRIVATE KEY-----')) {"]);
    }

    #[test]
    fn many_beginnings_are_no_burden() {
        let text = "-----BEGIN PRIVATE KEY-----\n".repeat(50_000);
        assert_eq!(find(&text).len(), 50_000);
    }
}
