//! Progress of a run: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The stages in the order they are shown, with what a person calls them.
const STAGES: [(&str, &str); 4] =
    [("clone", "Cloning"), ("analyse", "Analysing"), ("index", "Indexing"), ("write", "Writing")];

/// On a pipe, a stage is reported at most this often.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Shows how far a run is.
pub(crate) enum Progress {
    /// One bar per stage.
    Bars(BTreeMap<&'static str, ProgressBar>),
    /// One line per news.
    Lines {
        /// When each stage was last reported.
        reported: BTreeMap<&'static str, Instant>,
    },
}

impl Progress {
    /// Bars if standard error is a terminal.
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { reported: BTreeMap::new() };
        }
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{prefix:>10} {bar:32.yellow/dim} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("█▉░");
        let bars = STAGES
            .iter()
            .map(|(stage, name)| {
                let bar = all.add(ProgressBar::new(1).with_style(style.clone()).with_prefix(*name));
                bar.tick();
                (*stage, bar)
            })
            .collect();
        Self::Bars(bars)
    }

    /// A stage reports `done` of `total` (0: unknown) `unit`.
    pub(crate) fn stage(&mut self, stage: &str, done: u64, total: u64, unit: &str) {
        let Some((stage, name)) = STAGES.iter().find(|(known, _)| *known == stage) else { return };
        let of = if total == 0 { format!("{done} {unit}") } else { format!("{done}/{total} {unit}") };
        match self {
            Self::Bars(bars) => {
                if let Some(bar) = bars.get(stage).filter(|bar| !bar.is_finished()) {
                    // News may overtake each other: never move back.
                    bar.set_length(total.max(1));
                    if done >= bar.position() {
                        bar.set_position(done);
                        bar.set_message(of);
                    }
                }
            }
            Self::Lines { reported } => {
                let due = reported.get(stage).is_none_or(|last| last.elapsed() >= LINE_INTERVAL);
                if due {
                    reported.insert(stage, Instant::now());
                    eprintln!("{name}: {of}");
                }
            }
        }
    }

    /// A stage is finished.
    pub(crate) fn finished(&mut self, stage: &str, message: &str) {
        let Some((stage, name)) = STAGES.iter().find(|(known, _)| *known == stage) else { return };
        match self {
            Self::Bars(bars) => {
                if let Some(bar) = bars.get(stage) {
                    let length = bar.length().unwrap_or(1);
                    bar.set_position(length);
                    bar.finish_with_message(message.to_owned());
                }
            }
            Self::Lines { .. } => eprintln!("{name}: done, {message}"),
        }
    }

    /// Leaves the screen as it is.
    pub(crate) fn close(&mut self) {
        if let Self::Bars(bars) = self {
            for bar in bars.values().filter(|bar| !bar.is_finished()) {
                bar.abandon();
            }
        }
    }
}
