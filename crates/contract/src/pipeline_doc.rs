//! `docs/PIPELINE.md`, written from the table.

use std::fmt::Write as _;

use crate::permission::Identity;
use crate::subject::Subjects;
use crate::table::{CONSUMERS, MESSAGES, Retention, STREAMS, Service};

/// The page about the pipeline's messages, streams and consumers, as Markdown.
#[must_use]
pub fn pipeline_markdown() -> String {
    let mut page = String::from(
        "# The pipeline's contract\n\nGenerated from `crates/contract/src/table.rs` by `make generate`; do not edit.\n\n## Messages\n\n\
         Work travels on `caffeine.v1.<message>.<lane>.<workspace>.<repository>`, transitions on `caffeine.v1.state.<workspace>.<run>`. \
         The deduplication id is a hash of run, message, key and generation.\n\n\
         | message | from | to | stream | key within a run |\n|---|---|---|---|---|\n",
    );
    for row in MESSAGES {
        let writers: Vec<&str> = row.writers.iter().copied().map(Service::as_str).collect();
        let reader = row.reader.map_or("–", |reader| reader.spec().service.as_str());
        let key = if row.key.is_empty() { "one per run" } else { row.key };
        let _ = writeln!(
            page,
            "| `{}` | {} | {reader} | {} | {key} |",
            row.name,
            writers.join(", "),
            row.stream.spec().name
        );
    }
    page.push_str(
        "\n## Streams\n\n| stream | subjects below `caffeine.v1.` | kept | window per subject | largest | dedup window | storage |\n|---|---|---|---|---|---|---|\n",
    );
    for row in STREAMS {
        let kept = match row.retention {
            Retention::WorkQueue => "until acknowledged; full refuses".to_owned(),
            Retention::Limits => format!("{} h, oldest goes", row.max_age.as_secs() / 3600),
        };
        let window = if row.max_per_subject == 0 { "–".to_owned() } else { row.max_per_subject.to_string() };
        let dedup =
            if row.dedup_window.is_zero() { "–".to_owned() } else { format!("{} s", row.dedup_window.as_secs()) };
        let storage = if row.in_memory { "memory" } else { "file" };
        let subjects: Vec<String> = row.subjects.iter().map(|subject| format!("`{subject}`")).collect();
        let _ = writeln!(
            page,
            "| {} | {} | {kept} | {window} | {} MiB | {dedup} | {storage} |",
            row.name,
            subjects.join(", "),
            row.max_bytes / (1024 * 1024)
        );
    }
    page.push_str(
        "\n## Consumers\n\nDurable, pull, explicit acknowledgement; progress is reported every third of the ack wait. A delay grows fourfold from the first to the longest, with 25 % jitter.\n\n\
         | durable | service | stream | slots per pod | ack wait | time limit | attempts | delays |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in CONSUMERS {
        let durable = if row.laned { format!("`{0}-i`, `{0}-b`", row.durable) } else { format!("`{}`", row.durable) };
        let slots = if row.laned { format!("{} in each lane", row.slots) } else { row.slots.to_string() };
        let attempts = if row.attempts == u32::MAX { "no limit".to_owned() } else { row.attempts.to_string() };
        let _ = writeln!(
            page,
            "| {durable} | {} | {} | {slots} | {} s | {} s | {attempts} | {} s … {} s |",
            row.service.as_str(),
            row.stream.spec().name,
            row.ack_wait.as_secs(),
            row.time_limit.as_secs(),
            row.first_delay.as_secs(),
            row.max_delay.as_secs()
        );
    }
    page.push_str(
        "\n## Users\n\nOne per service, and one for `caffeine provision`; `caffeine users` writes them for the broker. Each may publish what is listed here, which includes its questions to the broker, hears its own inbox, and nothing else. With a prefix, subjects begin with `<prefix>.` and names of streams with `<prefix>_`.\n",
    );
    for identity in Identity::ALL {
        let permissions = Subjects::new("").permissions(identity);
        let _ = writeln!(
            page,
            "\n### {}\n\nHears `{}`; publishes:\n\n```text",
            identity.as_str(),
            permissions.subscribe.join("`, `")
        );
        for subject in permissions.publish {
            let _ = writeln!(page, "{subject}");
        }
        page.push_str("```\n");
    }
    page
}
