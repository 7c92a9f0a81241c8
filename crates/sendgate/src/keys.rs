//! Private keys in PEM, whole or in pieces, as chunks cut them. Searched line by line and by hand:
//! a pattern that runs to an end which may be missing costs a scan of the rest for every beginning.
//!
//! Three shapes are found: from a `BEGIN` marker to its `END`, or as far as the lines look like a
//! key; a block of base64 lines that ends with an `END` marker; and a block of long base64 lines
//! with neither, which is the middle of a key, or of a certificate that nobody will miss.

use crate::redact::Span;

const RULE: &str = "private-key";
/// Not called a key, as it may be a certificate or a picture.
const BARE_RULE: &str = "encoded-block";

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const CLOSING: &str = "-----";
const KIND: &str = "PRIVATE KEY";
/// Longest text between the dashes of a marker.
const MAX_KIND_BYTES: usize = 64;
/// Shortest piece of a key before an `END` on the same line, in bytes.
const MIN_TAIL: usize = 16;
/// Most lines from a beginning to its end. An RSA key of 16,384 bits has about 200.
const MAX_KEY_LINES: usize = 400;
/// Base64 lines of a PEM body have 64 characters, in some files 70 or 76; the last one has fewer.
const LONG_LINE: std::ops::RangeInclusive<usize> = 60..=80;
/// Long base64 lines in a row that are taken for a key without any marker.
const MIN_BARE_LINES: usize = 3;

pub(crate) fn find(text: &str) -> Vec<Span> {
    let lines = lines(text);
    let marks = marks(&lines);
    let mut spans = bare_bodies(&lines);
    let mut next = 0;
    while let Some(mark) = marks.get(next) {
        next += 1;
        let following = marks.get(next);
        if !mark.begins {
            let floor = next.checked_sub(2).and_then(|at| marks.get(at)).map_or(0, |mark| mark.end);
            spans.extend(tail(text, &lines, mark, floor));
            continue;
        }
        let end = match following {
            Some(end) if !end.begins && end.line - mark.line <= MAX_KEY_LINES => {
                next += 1;
                end.end
            }
            _ => cut_end(&lines, mark, following),
        };
        spans.push(span(mark.start, end));
    }
    spans
}

fn span(start: usize, end: usize) -> Span {
    Span { start, end, rule: RULE }
}

/// A line without its end, and where it begins.
type Line<'t> = (usize, &'t str);

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let begin = start;
            start += line.len();
            (begin, line.trim_end_matches(['\n', '\r']))
        })
        .collect()
}

/// A marker of a private key.
struct Mark {
    begins: bool,
    line: usize,
    start: usize,
    end: usize,
}

/// All markers of private keys in order; those of certificates are none.
fn marks(lines: &[Line<'_>]) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (index, (line_start, line)) in lines.iter().enumerate() {
        for (begins, dashes) in [(true, BEGIN), (false, END)] {
            for (column, _) in line.match_indices(dashes) {
                let kind = column + dashes.len();
                if let Some(length) = kind_length(&line.as_bytes()[kind..]) {
                    let start = line_start + column;
                    let end = line_start + kind + length;
                    marks.push(Mark { begins, line: index, start, end });
                }
            }
        }
    }
    marks.sort_by_key(|mark| mark.start);
    marks
}

/// The length of a private key's kind with the dashes behind it, if the bytes begin with one.
fn kind_length(bytes: &[u8]) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(MAX_KIND_BYTES)];
    let closing = bytes.windows(CLOSING.len()).position(|bytes| bytes == CLOSING.as_bytes())?;
    let is_key = bytes[..closing].windows(KIND.len()).any(|bytes| bytes == KIND.as_bytes());
    is_key.then_some(closing + CLOSING.len())
}

/// The end of a key that has none: as many lines as can belong to it. The rest of the first line
/// goes with them, as a key in a string literal is one long line.
fn cut_end(lines: &[Line<'_>], begin: &Mark, following: Option<&Mark>) -> usize {
    if let Some(following) = following
        && following.line == begin.line
    {
        return following.start;
    }
    let first = begin.line + 1;
    let last = following.map_or(lines.len(), |mark| mark.line).min(first + MAX_KEY_LINES);
    let body = lines[first..last].iter().take_while(|(_, line)| is_body(line) || is_header(line));
    let (start, line) = lines[begin.line + body.count()];
    start + line.len()
}

/// The key before an end without a beginning: what looks like one on the same line, or the lines
/// above if nothing does. `floor` is where the marker before this one ended.
fn tail(text: &str, lines: &[Line<'_>], end: &Mark, floor: usize) -> Option<Span> {
    let (line_start, _) = lines[end.line];
    // Two markers can share their dashes, so the one before may end behind the beginning of this one.
    let before = &text[floor.max(line_start).min(end.start)..end.start];
    if floor <= line_start && inner(before).is_empty() {
        let body = lines[..end.line].iter().rev().take_while(|(_, line)| is_body(line)).count();
        return (body > 0).then(|| span(lines[end.line - body].0, end.end));
    }
    let body = before.trim_end_matches(|c: char| c == '\\' || is_base64_char(c)).len();
    let start = end.start - (before.len() - body);
    (end.start - start >= MIN_TAIL).then(|| span(start, end.end))
}

/// Blocks of long lines of base64, with or without markers around them.
fn bare_bodies(lines: &[Line<'_>]) -> Vec<Span> {
    let blocks = lines.chunk_by(|(_, a), (_, b)| is_body(a) && is_body(b));
    blocks
        .filter(|block| block.iter().filter(|(_, line)| is_long(line)).count() >= MIN_BARE_LINES)
        .filter_map(|block| {
            let ((start, _), (last, line)) = (block.first()?, block.last()?);
            Some(Span { start: *start, end: last + line.len(), rule: BARE_RULE })
        })
        .collect()
}

/// Whether the line can be the body of a key: base64 and nothing else, but for quotes, commas and
/// escapes of a string literal around it.
fn is_body(line: &str) -> bool {
    let line = inner(line);
    line.len() >= 4 && line.chars().all(is_base64_char) && (line.ends_with('=') || has_mixed(line))
}

fn is_long(line: &str) -> bool {
    is_body(line) && LONG_LINE.contains(&inner(line).len())
}

/// A line of a key has letters of both cases and digits; ordinary words and hexadecimal do not.
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
    let around: &[char] = &[' ', '\t', '"', '\'', '`', ',', '+', '\\', '#', '*', '>', '|'];
    let line = line.trim_matches(around);
    let line = line.strip_suffix("\\n").unwrap_or(line);
    line.trim_matches(['"', '\''])
}

fn is_base64_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "MIIEowIBAAKCAQEAx8Zt0qQ2m9dYx1v5ZsT3hX7Qn2bJ4cK6wL8pR0uV1yA3eD5f";
    const TAIL: &str = "q3Zk9w==";

    /// What is taken out of the text.
    fn found(text: &str) -> Vec<&str> {
        find(text).iter().map(|span| &text[span.start..span.end]).collect()
    }

    #[test]
    fn whole_keys_are_found_wherever_they_stand() {
        let kinds = ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"];
        for kind in kinds {
            let key = format!("-----BEGIN {kind}-----\n{LINE}\n{TAIL}\n-----END {kind}-----");
            assert_eq!(found(&format!("a = '''{key}'''\nb = 1\n")), [key.as_str()]);
            let escaped = key.replace('\n', "\\n");
            assert_eq!(found(&format!("a = \"{escaped}\", b = 1\n")), [escaped.as_str()]);
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
    fn several_in_a_line_are_all_found() {
        let key = format!("-----BEGIN PRIVATE KEY-----\\n{LINE}\\n-----END PRIVATE KEY-----");
        let certificate = key.replace("PRIVATE KEY", "CERTIFICATE");
        let text = format!("{{\"c\":\"{certificate}\",\"a\":\"{key}\\n\",\"b\":\"{key}\"}}");
        assert_eq!(found(&text), [key.as_str(), key.as_str()]);
        let (_, tail) = key.split_once(LINE).expect("the key holds the line");
        let tail = format!("{LINE}{tail}");
        assert_eq!(found(&format!("{tail}\", \"{key}\"")), [tail.as_str(), key.as_str()]);
    }

    #[test]
    fn other_text_is_left_alone() {
        let texts = [
            "",
            "abcd\nefgh\nijkl\nmnop\n",
            "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n",
            "see BEGIN PRIVATE KEY in the manual\n",
            &format!("{0}\n{0}\n{0}\n", "0123456789abcdef".repeat(4)),
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
