//! The table at the end.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::document::export::Exported;
use crate::document::follow::Finished;

/// Files, chunks, symbols, pages and the time of each stage.
pub(crate) fn table(finished: &Finished, exported: &Exported, out: &Path) -> String {
    let stages = &finished.run["stages"];
    let number = |stage: &str, key: &str| stages[stage][key].as_u64().unwrap_or_default();
    let seconds = |stage: &str| match stages[stage]["seconds"].as_f64() {
        Some(seconds) => format!("{seconds:.1} s"),
        None => "–".to_owned(),
    };
    let rows = [
        (
            "clone",
            seconds("clone"),
            format!(
                "{} files ({} known, {} skipped), {} sent in {} batches",
                number("clone", "files"),
                number("clone", "known"),
                number("clone", "skipped"),
                number("clone", "sent"),
                number("clone", "batches")
            ),
        ),
        (
            "analyse",
            seconds("analyse"),
            format!(
                "{} symbols, {} edges, {} modules",
                number("analyse", "symbols"),
                number("analyse", "edges"),
                number("analyse", "modules")
            ),
        ),
        ("index", seconds("index"), format!("{} chunks", number("index", "chunks"))),
        ("write", seconds("write"), format!("{} pages, {} failed", exported.pages, exported.failed_pages)),
    ];
    let mut text = String::new();
    let state = finished.run["state"].as_str().unwrap_or("unknown").replace('_', " ");
    let commit = finished.run["commit"].as_str().unwrap_or("no commit");
    let _ = writeln!(text, "{state}, commit {commit}");
    let _ = writeln!(text, "{:<8} {:>8}  result", "stage", "time");
    for (stage, time, result) in rows {
        let _ = writeln!(text, "{stage:<8} {time:>8}  {result}");
    }
    if let Some(total) = total_seconds(&finished.run) {
        let _ = writeln!(text, "{:<8} {:>8}", "total", format!("{total:.1} s"));
    }
    let _ = writeln!(text, "{} pages and {} cited files are in {}", exported.pages, exported.sources, out.display());
    for entry in &exported.entries {
        let _ = writeln!(text, "Begin with {}", entry.display());
    }
    text
}

fn total_seconds(run: &Value) -> Option<f64> {
    run["seconds"].as_f64()
}
