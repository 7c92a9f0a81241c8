//! Secrets out, everything else as it was.

use std::collections::HashMap;

use crate::{keys, rules};

/// A text without the secrets that were found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text, with as many lines as before.
    pub text: String,
    /// What was taken out, in order.
    pub findings: Vec<Finding>,
}

/// A secret that was taken out. Never holds the secret or anything computed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static str,
    /// The line it begins on, from 1.
    pub line: u32,
    /// Its number within the call, from 1; the same secret has the same number.
    pub number: u32,
}

/// Replaces secrets by `<redacted:rule:8hex>`, with numbers that begin at 1.
#[must_use]
pub fn redact(text: &str) -> Redacted {
    Redactor::default().redact(text)
}

/// Redacts several texts of one call with common numbers.
///
/// The eight hexadecimal digits of a replacement are this number and no digest: even a short digest
/// would let a reader check guesses at a weak password.
#[derive(Debug, Default)]
pub struct Redactor {
    numbers: HashMap<[u8; 32], u32>,
}

/// A place to take out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) rule: &'static str,
}

impl Redactor {
    /// Redacts one more text.
    #[must_use]
    pub fn redact(&mut self, text: &str) -> Redacted {
        let mut spans = keys::find(text);
        rules::find(text, &mut spans);
        let spans = merged(spans);
        let mut clean = String::with_capacity(text.len());
        let mut findings = Vec::with_capacity(spans.len());
        let mut done = 0;
        let mut line = 1;
        for span in spans {
            let before = &text[done..span.start];
            let secret = &text[span.start..span.end];
            line += newlines(before);
            let number = self.number(secret);
            findings.push(Finding { rule: span.rule, line, number });
            clean.push_str(before);
            clean.push_str(&format!("<redacted:{}:{number:08x}>", span.rule));
            let inner = newlines(secret);
            clean.extend(std::iter::repeat_n('\n', inner as usize));
            line += inner;
            done = span.end;
        }
        clean.push_str(&text[done..]);
        Redacted { text: clean, findings }
    }

    fn number(&mut self, secret: &str) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX).saturating_add(1);
        *self.numbers.entry(*blake3::hash(secret.as_bytes()).as_bytes()).or_insert(next)
    }
}

fn newlines(text: &str) -> u32 {
    let count = text.bytes().filter(|byte| *byte == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The spans in order without overlaps; where two overlap, the one that begins first gives the name
/// and takes in the other.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}
