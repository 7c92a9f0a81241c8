//! Which mirrors stay on the disk.

use std::collections::HashSet;
use std::path::Path;

use caffeine_model::WorkspaceId;

use super::{disk, lock, mirror_name, mirrors};
use crate::CloneError;
use crate::source::Location;

/// Removes every mirror but those of these addresses, and says how many of the others stay because a job uses them.
///
/// # Errors
/// [`CloneError::Damaged`] if the disk refuses.
pub(crate) fn keep_only(data_dir: &Path, addresses: &[(WorkspaceId, String)]) -> Result<usize, CloneError> {
    // What is no address has no mirror.
    let kept: HashSet<String> = addresses
        .iter()
        .filter_map(|(workspace, text)| Some(mirror_name(*workspace, &Location::parse(text).ok()?)))
        .collect();
    let folder = mirrors(data_dir);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(|error| disk("list the mirrors", &error))?,
    };
    let mut in_use = 0;
    for entry in entries {
        let path = entry.map_err(|error| disk("list the mirrors", &error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if !path.is_dir() || kept.contains(name) {
            continue;
        }
        match lock(&folder, name) {
            Ok(_held) => {
                std::fs::remove_dir_all(&path).map_err(|error| disk("remove a mirror", &error))?;
                tracing::info!(mirror = name, "a mirror that nobody needs any more is removed");
            }
            Err(CloneError::Busy) => in_use += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(in_use)
}
