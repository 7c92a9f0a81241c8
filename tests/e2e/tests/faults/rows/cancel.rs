//! Row 16: runs that are cancelled at every stage.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, World, until};

/// After this time nobody writes for a cancelled run any more.
const QUIET_AFTER: Duration = Duration::from_secs(5);
/// How long the quiet is watched.
const WATCHED_FOR: Duration = Duration::from_secs(2);

/// Row 16: each of the three runs is cancelled at a moment of its own.
pub(crate) async fn at_any_stage(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    let began = Instant::now();
    let mut due: Vec<(Duration, Uuid)> = runs.iter().map(|run| (rng.millis(0, 1_200), run.id)).collect();
    due.sort();
    let mut cancelled: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut verdict = Verdict::default();
    for (at, run) in due {
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        let (before, _) = world.stack.api.run(run).await;
        let (status, answer) = world.stack.api.post(&format!("/runs/{run}/cancel"), &json!({})).await;
        let ended_before = status == 409;
        verdict.require((200..300).contains(&status) || ended_before, || {
            format!("{run} cannot be cancelled: {status} {answer}")
        });
        if !ended_before {
            report.injected(format!("run cancelled while {before}"));
            cancelled.insert(run, before);
        }
    }
    let ended = world.all_final(&runs, DEADLINE).await;
    if !ended {
        verdict.stuck(format!("{:?} after the cancel", world.states(&runs).await));
    }
    tokio::time::sleep(QUIET_AFTER).await;
    let quiet = world.dumps(&runs).await;
    tokio::time::sleep(WATCHED_FOR).await;
    verdict.require(quiet == world.dumps(&runs).await, || "rows were written 5 s after the cancel".to_owned());
    if !until(QUIET_AFTER, async || world.left().await.is_some_and(|left| left.is_nothing())).await {
        verdict.stuck(format!("the broker still holds {:?}", world.left().await));
    }
    let dead = world.dead_letters().await;
    verdict.require(dead == world.dead, || format!("{} dead letters", dead - world.dead));
    world.dead = dead;
    let states = world.states(&runs).await.unwrap_or_default();
    for (run, state) in states.iter().filter(|(run, _)| cancelled.contains_key(run)) {
        // It may have ended in the moment between.
        verdict.require(state == "cancelled" || state == "completed", || format!("{run} was cancelled and is {state}"));
    }
    verdict
}
