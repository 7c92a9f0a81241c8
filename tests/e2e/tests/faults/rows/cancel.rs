//! Row 16: runs that are cancelled at every stage.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, World, until};

/// This long after the cancel nobody writes for the run any more.
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
    let mut asked: Vec<(Instant, Uuid)> = Vec::new();
    for (at, run) in due {
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        let (before, _) = world.stack.api.run(run).await;
        let (status, answer) = world.stack.api.post(&format!("/runs/{run}/cancel"), &json!({})).await;
        asked.push((Instant::now(), run));
        let ended_before = status == 409;
        verdict.require((200..300).contains(&status) || ended_before, || {
            format!("{run} cannot be cancelled: {status} {answer}")
        });
        if !ended_before {
            report.injected(format!("run cancelled while {before}"));
            cancelled.insert(run, before);
        }
    }
    let mut quiet: BTreeMap<&str, String> = BTreeMap::new();
    for (at, id) in asked {
        tokio::time::sleep((at + QUIET_AFTER).saturating_duration_since(Instant::now())).await;
        let run = runs.iter().find(|run| run.id == id).expect("only these were cancelled");
        quiet.insert(run.name, world.dump(run).await);
    }
    tokio::time::sleep(WATCHED_FOR).await;
    for (name, rows) in world.dumps(&runs).await {
        verdict.require(quiet[name] == rows, || format!("{name}: rows were written 5 s after the cancel"));
    }
    if !world.all_final(&runs, DEADLINE).await {
        verdict.stuck(format!("{:?} after the cancel", world.states(&runs).await));
    }
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
