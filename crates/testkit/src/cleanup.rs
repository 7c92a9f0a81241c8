//! Asynchronous work in `Drop`.

use std::future::Future;
use std::time::Duration;

/// A server that is gone must not keep a test from ending.
const CLEANUP_WITHIN: Duration = Duration::from_secs(10);

/// Runs the work to its end on a runtime of its own: the caller's may be the one that is ending,
/// and must not be blocked. Failures are dropped: the servers are thrown away in the end anyway.
pub(crate) fn run_to_end<F>(work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            let _ = runtime.block_on(async { tokio::time::timeout(CLEANUP_WITHIN, work).await });
        }
    });
    let _ = thread.join();
}
