//! A few seeds of the fault matrix; `make chaos` runs all of it.

use std::time::Instant;

use crate::faults::Matrix;

/// One system, these rows, so many seeds each.
async fn check(rows: &[u32], seeds: u32) {
    let began = Instant::now();
    let report = Matrix { rows: rows.to_vec(), seeds: Some(seeds), first: 1 }.run().await;
    println!("{report}");
    // All of these together are to take less than six minutes; how long they do take is the machine's affair.
    println!("rows {rows:?} took {:.0} s", began.elapsed().as_secs_f64());
    assert!(report.holds(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_die_freeze_and_stop() {
    check(&[1, 2, 3], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_die_and_restart() {
    check(&[4, 5, 8], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_break() {
    check(&[10], 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_again_and_find_no_room() {
    check(&[11, 12, 13], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_disturbs_nobody() {
    check(&[14], 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_runs_leave_nothing() {
    check(&[16], 2).await;
}
