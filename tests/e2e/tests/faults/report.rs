//! What was injected, and what did not hold.

use std::collections::BTreeMap;
use std::fmt;

/// What the oracle found after one seed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Runs that lack rows, and dead letters of work that was sound.
    pub(crate) lost: u32,
    /// Runs that have rows twice, and answers that were paid for twice.
    pub(crate) doubled: u32,
    /// Runs that did not end, and work that nobody takes.
    pub(crate) stuck: u32,
    /// What else did not hold.
    pub(crate) broken: u32,
    /// A sentence for each of these.
    pub(crate) notes: Vec<String>,
}

impl Verdict {
    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.lost + self.doubled + self.stuck + self.broken == 0
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.stuck += other.stuck;
        self.broken += other.broken;
        self.notes.extend(other.notes);
        self
    }

    pub(crate) fn lost(&mut self, note: String) {
        self.lost += 1;
        self.notes.push(format!("lost: {note}"));
    }

    pub(crate) fn doubled(&mut self, note: String) {
        self.doubled += 1;
        self.notes.push(format!("doubled: {note}"));
    }

    pub(crate) fn stuck(&mut self, note: String) {
        self.stuck += 1;
        self.notes.push(format!("stuck: {note}"));
    }

    /// Something that must also hold in this row.
    pub(crate) fn require(&mut self, holds: bool, note: impl FnOnce() -> String) {
        if !holds {
            self.broken += 1;
            self.notes.push(format!("broken: {}", note()));
        }
    }
}

/// The sum over all seeds.
#[derive(Debug, Default)]
pub(crate) struct Report {
    injected: BTreeMap<String, u64>,
    /// Figures that are not asserted: the slowest, the largest.
    worst: BTreeMap<&'static str, f64>,
    seeds: u32,
    sum: Verdict,
}

impl Report {
    /// Counts a fault.
    pub(crate) fn injected(&mut self, kind: impl Into<String>) {
        self.injected_times(kind, 1);
    }

    /// Counts faults.
    pub(crate) fn injected_times(&mut self, kind: impl Into<String>, times: u64) {
        *self.injected.entry(kind.into()).or_default() += times;
    }

    /// Keeps the larger figure.
    pub(crate) fn worst(&mut self, what: &'static str, figure: f64) {
        let kept = self.worst.entry(what).or_insert(figure);
        *kept = kept.max(figure);
    }

    /// Adds what the oracle found after a seed.
    pub(crate) fn add(&mut self, name: &str, verdict: Verdict) {
        self.seeds += 1;
        let notes = verdict.notes.into_iter().map(|note| format!("{name}: {note}")).collect();
        self.sum = std::mem::take(&mut self.sum).and(Verdict { notes, ..verdict });
    }

    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.sum.holds()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "injected faults:")?;
        for (kind, count) in &self.injected {
            writeln!(f, "  {count:>6}  {kind}")?;
        }
        if !self.worst.is_empty() {
            writeln!(f, "figures (the worst of all seeds):")?;
        }
        for (what, figure) in &self.worst {
            writeln!(f, "  {figure:>8.2}  {what}")?;
        }
        for note in &self.sum.notes {
            writeln!(f, "{note}")?;
        }
        let Verdict { lost, doubled, stuck, broken, .. } = &self.sum;
        write!(f, "{} seeds: {lost} lost, {doubled} doubled, {stuck} stuck, {broken} broken", self.seeds)
    }
}
