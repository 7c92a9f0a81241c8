//! The gateway's size, looked at every second, by the process that it is at the time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use caffeine_e2e::Api;
use tokio::task::JoinHandle;

/// One look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Seconds since the first.
    pub(crate) at: f64,
    pub(crate) pid: u32,
    /// Bytes in memory.
    pub(crate) resident: u64,
    /// Open files, connections among them.
    pub(crate) files: usize,
    /// Seconds of processors so far.
    pub(crate) processor: f64,
}

/// What is looked at while clients read.
pub(crate) struct Sampler {
    samples: Arc<Mutex<Vec<Sample>>>,
    answers: Arc<Mutex<Vec<Duration>>>,
    stop: Arc<AtomicBool>,
    tasks: [JoinHandle<()>; 2],
}

impl Sampler {
    /// `pid` says which process it is now.
    pub(crate) fn start(pid: Arc<AtomicU32>, api: Api) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, stopping) = (Arc::clone(&samples), Arc::clone(&stop));
        let begun = Instant::now();
        let looking = tokio::spawn(async move {
            while !stopping.load(Ordering::SeqCst) {
                if let Some(sample) = look(pid.load(Ordering::SeqCst), begun.elapsed().as_secs_f64()) {
                    into.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let (into, stopping) = (Arc::clone(&answers), Arc::clone(&stop));
        let asking = tokio::spawn(async move {
            while !stopping.load(Ordering::SeqCst) {
                let asked = Instant::now();
                if api.get("/repositories?limit=5").await.0 == 200 {
                    into.lock().unwrap_or_else(PoisonError::into_inner).push(asked.elapsed());
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { samples, answers, stop, tasks: [looking, asking] }
    }

    /// The newest look.
    pub(crate) fn last(&self) -> Option<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).last().copied()
    }

    /// All looks, and how long somebody else's requests took meanwhile.
    pub(crate) async fn stop(self) -> (Vec<Sample>, Vec<Duration>) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("looking does not fail");
        }
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (samples, answers)
    }
}

/// `None` while there is no such process.
fn look(pid: u32, at: f64) -> Option<Sample> {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().ok()?;
    let files = std::fs::read_dir(folder.join("fd")).ok()?.count();
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    // The name in parentheses may hold blanks; user and system time are the 14th and 15th field.
    let ticks: f64 =
        stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    Some(Sample { at, pid, resident: resident * 1024, files, processor: ticks / 100.0 })
}
