//! Analysing the files of a batch on blocking threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use caffeine_analysis::FileAnalysis;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::to_rows::{AnalysedFile, to_rows};
use crate::unpack::InputFile;

/// Why a file has no analysis although it is no file of a kind that is skipped: the analyser broke on it.
pub(crate) const ANALYSIS_FAILED: &str = "analysis_failed";

/// Analyses one file; a test passes one that breaks.
pub type AnalyseFile = fn(&str, &[u8]) -> FileAnalysis;

/// The analysis stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The job is cancelled.
    Cancelled,
    /// A thread died, although every file is guarded.
    Died,
}

/// The threads that all batches of this process share.
pub(crate) struct Analysers {
    permits: Arc<Semaphore>,
    threads: usize,
    analyse: AnalyseFile,
}

impl Analysers {
    /// At most this many threads at once.
    pub(crate) fn new(threads: usize, analyse: AnalyseFile) -> Self {
        Self { permits: Arc::new(Semaphore::new(threads)), threads, analyse }
    }

    /// Analyses every file; the answers come in the order of the files. Takes one thread for sure and more as long as
    /// there are idle ones.
    pub(crate) async fn run(
        &self,
        files: Vec<InputFile>,
        cancelled: &CancellationToken,
    ) -> Result<Vec<AnalysedFile>, Stopped> {
        let total = files.len();
        let files = Arc::new(files);
        let next = Arc::new(AtomicUsize::new(0));
        let mut threads = JoinSet::new();
        let mut permit = Some(Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Stopped::Died)?);
        while let Some(held) = permit.take() {
            let (files, next, cancelled) = (Arc::clone(&files), Arc::clone(&next), cancelled.clone());
            let analyse = self.analyse;
            threads.spawn_blocking(move || {
                let _held = held;
                let mut done = Vec::new();
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(position) else { return Ok(done) };
                    if cancelled.is_cancelled() {
                        return Err(Stopped::Cancelled);
                    }
                    done.push((position, analyse_one(analyse, file)));
                }
            });
            if threads.len() < self.threads.min(total) {
                permit = Arc::clone(&self.permits).try_acquire_owned().ok();
            }
        }
        let mut analysed = Vec::with_capacity(total);
        while let Some(joined) = threads.join_next().await {
            analysed.extend(joined.map_err(|_| Stopped::Died)??);
        }
        analysed.sort_unstable_by_key(|(position, _)| *position);
        Ok(analysed.into_iter().map(|(_, file)| file).collect())
    }
}

/// Analyses a file. If that panics, the file is skipped: one hostile file must not take its batch with it.
fn analyse_one(analyse: AnalyseFile, file: &InputFile) -> AnalysedFile {
    let guarded = catch_unwind(AssertUnwindSafe(|| to_rows(file, analyse(file.path.as_str(), &file.content), None)));
    guarded.unwrap_or_else(|_| {
        tracing::error!(file_version_id = %file.id, "analysis of a file panicked");
        // An empty file's analysis says what the path alone tells.
        to_rows(file, caffeine_analysis::analyse(file.path.as_str(), &[]), Some(ANALYSIS_FAILED))
    })
}
