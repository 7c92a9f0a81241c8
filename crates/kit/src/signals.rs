//! SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice to stop.
const IMPATIENT: i32 = 130;

#[expect(clippy::disallowed_methods, reason = "the second signal asks for exactly that: an end without clean-up")]
fn stop_at_once() -> ! {
    std::process::exit(IMPATIENT)
}

/// Cancelled by the first SIGTERM or SIGINT; the second one ends the process at once.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn shutdown_on_signals() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = CancellationToken::new();
    let first = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping; a second signal stops at once");
        first.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("stopped by a second signal");
        stop_at_once();
    });
    Ok(shutdown)
}
