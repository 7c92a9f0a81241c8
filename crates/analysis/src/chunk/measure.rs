//! Sizes of ranges in constant time.

use crate::MAX_CHUNK_NWS;

/// Bytes per unit of size, so that whitespace alone cannot make a chunk without bound.
const BYTES_PER_UNIT: usize = 8;

/// A text and the running count of its characters that are not whitespace.
pub(super) struct Measure<'text> {
    pub(super) text: &'text str,
    /// `counts[at]` is the count before byte `at`.
    counts: Vec<u32>,
}

impl<'text> Measure<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        let mut counts = Vec::with_capacity(text.len() + 1);
        let mut count = 0_u32;
        counts.push(0);
        for byte in text.bytes() {
            let continues_character = byte & 0xC0 == 0x80;
            let is_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            count += u32::from(!continues_character && !is_space);
            counts.push(count);
        }
        Self { text, counts }
    }

    /// Characters that are not whitespace in `[start, end)`.
    pub(super) fn nws(&self, start: usize, end: usize) -> usize {
        let count = |at: usize| self.counts.get(at).or(self.counts.last()).copied().unwrap_or(0);
        count(end).saturating_sub(count(start)) as usize
    }

    /// The size that is limited: grows with the range, never shrinks.
    pub(super) fn size(&self, start: usize, end: usize) -> usize {
        self.nws(start, end).max(end.saturating_sub(start).div_ceil(BYTES_PER_UNIT))
    }

    pub(super) fn fits(&self, start: usize, end: usize) -> bool {
        self.size(start, end) <= MAX_CHUNK_NWS
    }

    /// The nearest character boundary at or before `at`.
    pub(super) fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The end of the longest piece from `start` that fits, at most `end`; more than `start` if the range is not empty.
    pub(super) fn longest_fit(&self, start: usize, end: usize) -> usize {
        let mut fits = start;
        let mut too_long = end + 1;
        while too_long - fits > 1 {
            let middle = fits + (too_long - fits) / 2;
            if self.fits(start, middle) {
                fits = middle;
            } else {
                too_long = middle;
            }
        }
        self.floor(fits)
    }
}
