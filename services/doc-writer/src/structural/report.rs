//! The analysis report: what was looked at, what was not, and why.

use std::collections::BTreeMap;

use caffeine_store::doc_writer::FileRow;

use super::figures::{self, skip_of};
use super::thousands;
use crate::facts::Facts;
use crate::markdown::{Sheet, Written, code, text};

/// Skipped files listed.
const MAX_SKIPPED: usize = 500;
/// Files with parse errors listed.
const MAX_IMPERFECT: usize = 200;
/// Failed batches listed.
const MAX_FAILURES: usize = 100;

/// Writes the page.
#[must_use]
pub fn report(title: &str, facts: &Facts) -> Written {
    let mut sheet = Sheet::new(facts, title);
    let run = &facts.run;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("Commit", if facts.has_commit() { code(&run.commit.to_string()) } else { "none".to_owned() }),
        row("Analyser", code(&run.analyser)),
        row("Embedding model", code(&run.embedding_model)),
    ];
    let complete = if run.truncated { "no: the listing stopped at a limit, the rest is not documented" } else { "yes" };
    rows.push(row("All files listed", complete.to_owned()));
    rows.extend(figures::rows(facts));
    sheet.table(&["Fact", "Value"], &rows);
    categories(&mut sheet, facts);
    skipped(&mut sheet, facts);
    parsed(&mut sheet, facts);
    failures(&mut sheet, "Batches that could not be analysed", &run.failed_analysis);
    failures(&mut sheet, "Batches that could not be indexed", &run.failed_index);
    sheet.finish()
}

fn categories(sheet: &mut Sheet<'_>, facts: &Facts) {
    let mut categories: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for file in &facts.files {
        let entry = categories.entry(file.category.as_deref().unwrap_or("not analysed")).or_default();
        entry.0 += 1;
        entry.1 = entry.1.saturating_add(file.lines);
    }
    let rows: Vec<Vec<String>> = categories
        .into_iter()
        .map(|(category, (files, lines))| vec![text(category), thousands(files), thousands(lines)])
        .collect();
    sheet.heading(2, "Files by category");
    if rows.is_empty() {
        sheet.paragraph("The snapshot has no files.");
    }
    sheet.table(&["Category", "Files:", "Lines:"], &rows);
}

fn skipped(sheet: &mut Sheet<'_>, facts: &Facts) {
    let files: Vec<(&FileRow, &str)> = facts.files.iter().filter_map(|file| Some((file, skip_of(file)?))).collect();
    sheet.heading(2, "Skipped and empty files");
    if files.is_empty() {
        sheet.paragraph("None.");
        return;
    }
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, reason) in &files {
        *reasons.entry(reason).or_default() += 1;
    }
    let rows: Vec<Vec<String>> = reasons
        .into_iter()
        .map(|(reason, files)| vec![text(&reason.replace('_', " ")), thousands(files), sentence(reason).to_owned()])
        .collect();
    sheet.table(&["Reason", "Files:", "What it means"], &rows);
    let rows: Vec<Vec<String>> = files
        .iter()
        .take(MAX_SKIPPED)
        .map(|(file, reason)| {
            let size = u32::try_from(file.size).unwrap_or(u32::MAX);
            vec![code(&file.path), text(&reason.replace('_', " ")), thousands(size)]
        })
        .collect();
    sheet.table(&["File", "Reason", "Bytes:"], &rows);
    if files.len() > MAX_SKIPPED {
        sheet.paragraph(&format!("{} more are not listed.", files.len() - MAX_SKIPPED));
    }
}

/// What a reason means, for a person. Reasons of later versions have only their word.
fn sentence(reason: &str) -> &'static str {
    match reason {
        "too_large" => "Larger than the limit for a file that is analysed.",
        "symlink" => "A symbolic link; its target is not followed.",
        "submodule" => "Another repository, linked in; it is not cloned.",
        "bad_path" => {
            "Its path breaks a rule and is shown in a readable form: it climbs, is no UTF-8, is too long, is there \
             twice, or has a control character, a backslash or `.git` in it."
        }
        "empty" => "It has no content.",
        "binary" => "It is no text.",
        "lfs_pointer" => "Its content is kept in Git LFS, outside the repository.",
        "invalid_encoding" => "The encoding of its text could not be determined.",
        "minified" => "Its lines are too long to be written by hand.",
        "unreadable" => "It could not be read from the repository.",
        "limit" => "A folder that is too deep or too large: what is in it is not listed.",
        "not_analysed" => "Its batch could not be analysed, or the listing ended before it.",
        _ => "",
    }
}

fn parsed(sheet: &mut Sheet<'_>, facts: &Facts) {
    let mut qualities: BTreeMap<&str, u32> = BTreeMap::new();
    for file in &facts.files {
        if let Some(quality) = &file.parse_quality {
            *qualities.entry(quality).or_default() += 1;
        }
    }
    if qualities.is_empty() {
        return;
    }
    sheet.heading(2, "How well the grammars understood the files");
    let rows: Vec<Vec<String>> = qualities
        .into_iter()
        .map(|(quality, files)| {
            vec![text(&quality.replace('_', " ")), thousands(files), quality_sentence(quality).to_owned()]
        })
        .collect();
    sheet.table(&["Quality", "Files:", "What it means"], &rows);
    let is_imperfect = |file: &&FileRow| matches!(file.parse_quality.as_deref(), Some("errors" | "timed_out"));
    let imperfect: Vec<&FileRow> = facts.files.iter().filter(is_imperfect).collect();
    let items: Vec<String> = imperfect
        .iter()
        .take(MAX_IMPERFECT)
        .map(|file| {
            let quality = file.parse_quality.as_deref().unwrap_or_default().replace('_', " ");
            format!("{} {}", sheet.cite(&file.path, 1, file.lines), text(&quality))
        })
        .collect();
    sheet.list(&items);
    if imperfect.len() > MAX_IMPERFECT {
        sheet.paragraph(&format!("{} more are not listed.", imperfect.len() - MAX_IMPERFECT));
    }
}

fn quality_sentence(quality: &str) -> &'static str {
    match quality {
        "full" => "Without errors.",
        "errors" => "With errors; what was recognised is used.",
        "timed_out" => "The parser's budget ran out; the file is treated as plain text.",
        "not_parsed" => "There is no grammar for it, or it was skipped.",
        _ => "",
    }
}

fn failures(sheet: &mut Sheet<'_>, title: &str, failures: &[(u32, String)]) {
    if failures.is_empty() {
        return;
    }
    sheet.heading(2, title);
    let items: Vec<String> =
        failures.iter().take(MAX_FAILURES).map(|(batch, reason)| format!("Batch {batch}: {}", text(reason))).collect();
    sheet.list(&items);
}
