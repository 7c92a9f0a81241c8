//! Split, then merge: a range is covered by the largest pieces of a tree that fit.

use super::measure::Measure;
use crate::MAX_CHUNK_NWS;

/// Deeper than people nest; below it lines are as good as nodes.
const MAX_DEPTH: usize = 200;

/// A started piece smaller than this goes along with the too large piece after it (a signature with its body).
const CARRIED: usize = MAX_CHUNK_NWS / 3;

/// A piece smaller than this joins a neighbour if it fits there.
const TINY: usize = 60;

/// Something that can be cut into consecutive parts.
pub(super) trait Splittable: Copy {
    /// The parts in order, each with its end; empty for a leaf. What lies between parts belongs to the later one.
    fn parts(self, measure: &Measure<'_>) -> Vec<(Self, usize)>;
}

/// Ranges that tile the text, each of which fits.
pub(super) fn cover<Node: Splittable>(measure: &Measure<'_>, root: Node) -> Vec<(usize, usize)> {
    let mut cover = Cover { measure, ranges: Vec::new() };
    cover.node(root, 0, measure.text.len(), 0);
    cover.join_tiny()
}

struct Cover<'measure, 'text> {
    measure: &'measure Measure<'text>,
    ranges: Vec<(usize, usize)>,
}

impl Cover<'_, '_> {
    fn node<Node: Splittable>(&mut self, node: Node, start: usize, end: usize, depth: usize) {
        if self.measure.fits(start, end) {
            self.emit(start, end);
            return;
        }
        let mut node = node;
        let mut parts = node.parts(self.measure);
        // A chain of only children costs no depth.
        while let [(only, _)] = parts.as_slice() {
            node = *only;
            parts = node.parts(self.measure);
        }
        if parts.is_empty() || depth >= MAX_DEPTH {
            self.lines(start, end);
            return;
        }
        if let Some((_, last_end)) = parts.last_mut() {
            *last_end = end;
        }
        let mut window = start;
        let mut position = start;
        for (part, part_end) in parts {
            let part_end = self.measure.floor(part_end).clamp(position, end);
            if self.measure.fits(window, part_end) {
                position = part_end;
                continue;
            }
            if self.measure.fits(position, part_end) {
                self.emit(window, position);
                window = position;
            } else {
                if self.measure.size(window, position) > CARRIED {
                    self.emit(window, position);
                    window = position;
                }
                self.node(part, window, part_end, depth + 1);
                window = part_end;
            }
            position = part_end;
        }
        self.emit(window, end);
    }

    /// Whole lines, cut at blank lines where that does not waste much; a line that does not fit is cut inside.
    fn lines(&mut self, start: usize, end: usize) {
        let mut window = start;
        let mut position = start;
        let mut blank: Option<usize> = None;
        let lines = self.measure.text.get(start..end).unwrap_or_default();
        for line in lines.split_inclusive('\n') {
            let line_end = position + line.len();
            while !self.measure.fits(window, line_end) {
                let cut = match blank.take() {
                    Some(blank) if self.measure.size(window, blank) > MAX_CHUNK_NWS / 2 => blank,
                    _ if position > window => position,
                    _ => self.cut_inside(window, line_end),
                };
                self.emit(window, cut);
                window = cut;
                position = position.max(window);
            }
            position = line_end;
            if line.trim().is_empty() {
                blank = Some(line_end);
            }
        }
        self.emit(window, end);
    }

    /// Where to cut a too long line: after the last whitespace of its last quarter, else as late as possible.
    fn cut_inside(&self, start: usize, end: usize) -> usize {
        let latest = self.measure.longest_fit(start, end);
        let earliest = self.measure.floor(start + (latest - start) / 4 * 3);
        let tail = self.measure.text.get(earliest..latest).unwrap_or_default();
        match tail.rfind([' ', '\t', ',', ';']) {
            Some(at) if earliest + at + 1 > start => earliest + at + 1,
            _ => latest,
        }
    }

    fn emit(&mut self, start: usize, end: usize) {
        if end > start {
            self.ranges.push((start, end));
        }
    }

    fn join_tiny(self) -> Vec<(usize, usize)> {
        let mut joined: Vec<(usize, usize)> = Vec::with_capacity(self.ranges.len());
        for (start, end) in self.ranges {
            if let Some(last) = joined.last_mut() {
                let one_is_tiny = self.measure.nws(last.0, last.1) < TINY || self.measure.nws(start, end) < TINY;
                if one_is_tiny && self.measure.fits(last.0, end) {
                    last.1 = end;
                    continue;
                }
            }
            joined.push((start, end));
        }
        joined
    }
}
