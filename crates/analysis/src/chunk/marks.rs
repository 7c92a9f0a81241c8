//! Cutting a text at ranked marks: headings, then blocks, then lines.

use super::cover::Splittable;
use super::measure::Measure;

/// A place to cut before, and how good it is (smaller ranks are cut at first).
pub(crate) type Mark = (usize, u8);

/// A range and all marks of its text.
#[derive(Clone, Copy)]
pub(super) struct Marked<'marks> {
    start: usize,
    end: usize,
    /// In order of place.
    marks: &'marks [Mark],
}

impl<'marks> Marked<'marks> {
    pub(super) fn new(end: usize, marks: &'marks [Mark]) -> Self {
        Self { start: 0, end, marks }
    }
}

impl Splittable for Marked<'_> {
    fn parts(self, _: &Measure<'_>) -> Vec<(Self, usize)> {
        let from = self.marks.partition_point(|(at, _)| *at <= self.start);
        let to = self.marks.partition_point(|(at, _)| *at < self.end);
        let inside = self.marks.get(from..to).unwrap_or_default();
        let Some(best) = inside.iter().map(|(_, rank)| *rank).min() else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        let mut start = self.start;
        for (at, rank) in inside {
            if *rank == best && *at > start {
                parts.push((Self { start, end: *at, marks: inside }, *at));
                start = *at;
            }
        }
        parts.push((Self { start, end: self.end, marks: inside }, self.end));
        parts
    }
}

/// Marks at the lines that follow a blank one.
pub(super) fn paragraphs(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut at = 0;
    let mut after_blank = false;
    for line in text.split_inclusive('\n') {
        let is_blank = line.trim().is_empty();
        if after_blank && !is_blank {
            marks.push((at, 1));
        }
        after_blank = is_blank;
        at += line.len();
    }
    marks
}
