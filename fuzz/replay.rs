//! The committed inputs of the fuzz targets as ordinary tests. Each crate with targets includes this file.

use std::path::{Path, PathBuf};

/// A target's name, which is its folder below `fuzz/seeds/`, and what holds for any bytes.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Runs every target over its inputs.
pub(crate) fn replay(targets: &[Target]) {
    for (target, property) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no input", folder.display());
        for file in files {
            // Shown when the property fails.
            println!("{}", file.display());
            property(&std::fs::read(&file).expect("the input can be read"));
        }
    }
}
