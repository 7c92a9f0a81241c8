//! What was seen, and what should have been.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use super::{MANY_EVENTS, Plan, Role, SPARE, Sample, Seen};

/// How much larger the gateway may be at the end of the runs than with all streams open, and at any time in between:
/// what an allocator keeps of a thousand clients that come back at once, and a fixed part of it for each stream.
const GROWTH: u64 = 8 << 20;
const GROWTH_PER_STREAM: u64 = 16 << 10;
/// How late the slowest one in a hundred of an event's arrivals may be for those who read at once.
const LATE: f64 = 5.0;
/// More connections to the database than a gateway is granted.
const CONNECTIONS: i64 = 4;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) plan: Plan,
    /// The stored events of each run.
    pub(crate) rows: BTreeMap<Uuid, Vec<(u64, f64)>>,
    /// What each reader saw: its run, whether it reads slowly.
    pub(crate) seen: Vec<(Uuid, bool, Seen)>,
    /// Readers that saw no end in time.
    pub(crate) missing: usize,
    pub(crate) samples: Vec<Sample>,
    pub(crate) answers: Vec<Duration>,
    pub(crate) before: Sample,
    pub(crate) all_open: Sample,
    /// Transactions and processor seconds per second while nothing happened.
    pub(crate) idle: (f64, f64),
    pub(crate) opened_after: Duration,
    pub(crate) took: Duration,
    pub(crate) starts: u32,
    /// Clients with full streams that the gateway has given up.
    pub(crate) cut_off: usize,
    pub(crate) connections: i64,
}

impl Report {
    /// Everything that is not as it should be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                problems.push(what);
            }
        };
        expect(self.missing == 0, format!("{} readers saw no end", self.missing));
        expect(self.starts == 3, format!("the gateway was started {} times, not three", self.starts));
        for (run, rows) in &self.rows {
            expect(rows.len() > 3, format!("run {run} has {} events", rows.len()));
        }
        for (run, _, seen) in &self.seen {
            let stored: Vec<u64> = self.rows[run].iter().map(|(sequence, _)| *sequence).collect();
            let ids: Vec<u64> = seen.ids.iter().map(|(id, _)| *id).collect();
            expect(ids == stored, format!("of run {run} a client saw {ids:?}, stored are {stored:?}"));
            expect(seen.end.as_deref() == Some("completed"), format!("run {run} ended as {:?}", seen.end));
            let refused: Vec<u16> = seen.refused.iter().copied().filter(|status| *status != 0).collect();
            expect(refused.is_empty(), format!("a client of run {run} was answered {refused:?}"));
        }
        let broken = self.seen.iter().filter(|(_, _, seen)| seen.opened > 1).count();
        expect(2 * broken > self.seen.len() / 3, format!("only {broken} streams were broken by a restart"));
        let limit = self.all_open.resident + self.allowed();
        expect(self.peak() <= limit, format!("the gateway grew to {}, {} was the limit", mib(self.peak()), mib(limit)));
        expect(self.connections <= CONNECTIONS, format!("{} connections to the database", self.connections));
        let late = quantile(&mut self.delays(false), 0.99);
        expect(late <= LATE, format!("one in a hundred events arrived after {late:.2} s"));
        let stuck = self.plan.count(Role::SilentOnLong);
        expect(self.cut_off == stuck, format!("of {stuck} clients with full streams {} were cut off", self.cut_off));
        let kept = self.plan.streams - stuck;
        let files = self.all_open.files.abs_diff(self.before.files);
        expect(files.abs_diff(kept) <= SPARE, format!("{files} connections are open, {kept} should be"));
        problems
    }

    fn allowed(&self) -> u64 {
        GROWTH + GROWTH_PER_STREAM * self.plan.streams as u64
    }

    fn peak(&self) -> u64 {
        self.after_open().map(|sample| sample.resident).max().unwrap_or_default()
    }

    fn after_open(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| sample.at >= self.all_open.at)
    }

    /// Seconds from what a stage noted to its arrival, over all readers that had no break.
    fn delays(&self, slow: bool) -> Vec<f64> {
        let chosen = self.seen.iter().filter(|(_, is_slow, seen)| *is_slow == slow && seen.opened == 1);
        let mut delays = Vec::new();
        for (run, _, seen) in chosen {
            let at: BTreeMap<u64, f64> = self.rows[run].iter().copied().collect();
            delays.extend(seen.ids.iter().filter_map(|(id, arrived)| Some(arrived - at.get(id)?)));
        }
        delays
    }
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    values.get((last * at).round() as usize).copied().unwrap_or_default()
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: usize = self.rows.values().map(Vec::len).sum();
        let arrived: usize = self.seen.iter().map(|(_, _, seen)| seen.ids.len()).sum();
        let progress: u64 = self.seen.iter().map(|(_, _, seen)| seen.progress).sum();
        let opened: u32 = self.seen.iter().map(|(_, _, seen)| seen.opened).sum();
        let away: usize = self.seen.iter().map(|(_, _, seen)| seen.refused.len()).sum();
        let Plan { streams, runs, files } = self.plan;
        writeln!(f, "{streams} streams of {runs} runs, {} read; files at the start {files}", self.seen.len())?;
        writeln!(
            f,
            "opened after {:.1} s, all over after {:.1} s",
            self.opened_after.as_secs_f64(),
            self.took.as_secs_f64()
        )?;
        writeln!(
            f,
            "events stored {events}, arrived {arrived}; progress arrived {progress}; streams opened {opened}, gateway away {away} times"
        )?;
        writeln!(
            f,
            "of {} clients that did not read {MANY_EVENTS} events {} were cut off",
            self.plan.count(Role::SilentOnLong),
            self.cut_off
        )?;
        for (who, slow) in [("read at once", false), ("read slowly", true)] {
            let mut delays = self.delays(slow);
            let [half, most, last] = [0.5, 0.99, 1.0].map(|at| quantile(&mut delays, at));
            writeln!(
                f,
                "delay of {} events, {who}: median {half:.3} s, 99 % {most:.3} s, last {last:.3} s",
                delays.len()
            )?;
        }
        let mut answers: Vec<f64> = self.answers.iter().map(Duration::as_secs_f64).collect();
        let [half, most, last] = [0.5, 0.99, 1.0].map(|at| quantile(&mut answers, at));
        writeln!(f, "other requests ({}): median {half:.3} s, 99 % {most:.3} s, last {last:.3} s", answers.len())?;
        writeln!(
            f,
            "idle with all open: {:.1} transactions/s, {:.3} processors; connections to the database {}",
            self.idle.0, self.idle.1, self.connections
        )?;
        let before = self.before;
        writeln!(
            f,
            "gateway before {}, {} files; all open {}, {} files",
            mib(before.resident),
            before.files,
            mib(self.all_open.resident),
            self.all_open.files
        )?;
        let mut pids: Vec<u32> = self.samples.iter().map(|sample| sample.pid).collect();
        pids.dedup();
        for pid in pids {
            let of: Vec<&Sample> = self.samples.iter().filter(|sample| sample.pid == pid).collect();
            let peak = of.iter().map(|sample| sample.resident).max().unwrap_or_default();
            let files = of.iter().map(|sample| sample.files).max().unwrap_or_default();
            let (first, last) = (of[0], of[of.len() - 1]);
            writeln!(
                f,
                "  process of {:.0} to {:.0} s: start {}, peak {}, end {}; most files {files}, processor {:.1} s",
                first.at,
                last.at,
                mib(first.resident),
                mib(peak),
                mib(last.resident),
                last.processor
            )?;
        }
        let grown = self.peak().saturating_sub(self.all_open.resident);
        writeln!(f, "growth over all open: {} of {} allowed", mib(grown), mib(self.allowed()))?;
        for problem in self.problems().iter().take(20) {
            writeln!(f, "WRONG: {problem}")?;
        }
        Ok(())
    }
}
