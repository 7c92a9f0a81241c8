//! Waiting for a condition.

use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Asks again and again until the answer is yes; panics at the deadline, naming the caller.
///
/// ```
/// # tokio::runtime::Runtime::new().expect("runtime").block_on(async {
/// use std::time::Duration;
/// let started = std::time::Instant::now();
/// caffeine_testkit::eventually(Duration::from_secs(5), || async {
///     started.elapsed() > Duration::from_millis(5)
/// })
/// .await;
/// # });
/// ```
#[track_caller]
pub fn eventually<C, F>(deadline: Duration, mut condition: C) -> impl Future<Output = ()>
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let caller = Location::caller();
    let attempt = move || {
        let answer = condition();
        async move { answer.await.then_some(()) }
    };
    poll(deadline, attempt, caller)
}

/// Asks again and again until there is a value, and returns it; panics at the deadline, naming the
/// caller.
#[track_caller]
pub fn eventually_some<C, F, T>(deadline: Duration, attempt: C) -> impl Future<Output = T>
where
    C: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    poll(deadline, attempt, Location::caller())
}

async fn poll<C, F, T>(deadline: Duration, mut attempt: C, caller: &Location<'_>) -> T
where
    C: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    loop {
        // An attempt that hangs is a condition that is not met.
        let left = end.saturating_duration_since(Instant::now()).max(FIRST_PAUSE);
        if let Ok(Some(value)) = tokio::time::timeout(left, attempt()).await {
            return value;
        }
        assert!(Instant::now() < end, "the condition at {caller} was not met within {deadline:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
