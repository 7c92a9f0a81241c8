//! A few streams of what `make streams-test` does with a thousand.

use crate::followed::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_event_once_and_who_does_not_read_disturbs_nobody() {
    let report = Plan { streams: 60, runs: 6, files: 64 }.run().await;
    println!("{report}");
    assert!(report.problems().is_empty(), "{report}");
}
