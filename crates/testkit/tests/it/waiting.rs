//! Waiting for a condition.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use caffeine_testkit::{eventually, eventually_some};
use futures::FutureExt;

#[tokio::test]
async fn a_condition_is_asked_until_it_holds() {
    let asked = Cell::new(0);
    eventually(Duration::from_secs(10), || async {
        asked.set(asked.get() + 1);
        asked.get() == 3
    })
    .await;
    assert_eq!(asked.get(), 3);
    let value = eventually_some(Duration::from_secs(10), || async {
        asked.set(asked.get() + 1);
        (asked.get() > 5).then_some("done")
    })
    .await;
    assert_eq!(value, "done");
}

#[tokio::test]
async fn the_deadline_names_the_line_that_waited_even_if_an_attempt_hangs() {
    for hangs in [false, true] {
        let waiting = eventually(Duration::from_millis(20), move || async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            false
        });
        let panic = AssertUnwindSafe(waiting).catch_unwind().await.expect_err("it never holds");
        let words = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(words.contains("waiting.rs:"), "{words}");
    }
}
