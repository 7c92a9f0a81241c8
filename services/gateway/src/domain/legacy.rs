//! The words of the older system, for clients that poll `/api/repos/{id}`.

use caffeine_model::RunState;

/// The status of a repository in the older words.
pub(crate) const fn status(state: Option<RunState>) -> &'static str {
    match state {
        None | Some(RunState::Queued | RunState::Pending) => "pending",
        Some(RunState::Cloning) => "cloning",
        Some(RunState::Cloned) => "cloned",
        Some(RunState::Analysed) => "indexing",
        Some(RunState::Indexed | RunState::Completed | RunState::CompletedWithErrors) => "indexed",
        Some(RunState::Failed | RunState::Cancelled | RunState::Superseded) => "failed",
    }
}
