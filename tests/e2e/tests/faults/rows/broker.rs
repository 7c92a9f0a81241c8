//! Rows 4 to 7: the broker is restarted, killed, away and wiped.

use std::time::{Duration, Instant};

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, Run, World, until};

/// Row 4: a graceful restart under load.
pub(crate) async fn restarts(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    tokio::time::sleep(rng.millis(0, 1_000)).await;
    world.servers.restart_nats().await;
    report.injected("broker restarted");
    world.verdict_after(1, &runs).await
}

/// Row 5: SIGKILL under load, twice, and each time the housekeeper is killed, too, while it looks at what the broker forgot:
/// the next one takes it out.
pub(crate) async fn is_killed(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let before = world.ghosts();
    let mut runs = world.submit().await;
    for _ in 0..2 {
        runs.extend(world.submit_more().await);
        tokio::time::sleep(rng.millis(100, 900)).await;
        world.servers.nats.kill();
        world.servers.restart_nats().await;
        report.injected("broker killed");
        tokio::time::sleep(rng.millis(0, 1_500)).await;
        kill_housekeeper(world, report);
    }
    let verdict = world.verdict_after(2, &runs).await;
    report.worst("ghosts that the reaper took out after two kills", (world.ghosts() - before) as f64);
    verdict
}

/// Row 6: the broker is away for seconds. The gateway says so, and loses no
/// request; runs go on when it is back.
pub(crate) async fn is_away(world: &mut World, _: &mut Rng, report: &mut Report) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.require(world.stack.is_ready().await, || "the gateway is not ready before".to_owned());
    let runs = world.submit().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.servers.nats.stop().await;
    report.injected("broker away for 8 s");
    let away = Instant::now();
    let not_ready = until(Duration::from_secs(5), async || !world.stack.is_ready().await).await;
    verdict.require(not_ready, || "the gateway says that it is ready without a broker".to_owned());
    // It may refuse, or take the request: then it has to keep it.
    let (name, url) = world.site.fresh()[1].clone();
    let (status, answer) = world.stack.api.post("/repositories", &serde_json::json!({ "url": url })).await;
    let taken = answer.pointer("/run/id").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
    verdict.require(status == 503 || taken.is_some(), || format!("a repository is answered with {status}: {answer}"));
    tokio::time::sleep(Duration::from_secs(8).saturating_sub(away.elapsed())).await;
    world.servers.restart_nats().await;
    let ready = until(Duration::from_secs(10), async || world.stack.is_ready().await).await;
    verdict.require(ready, || "the gateway is not ready with the broker back".to_owned());
    if let Some(id) = taken {
        let taken = [Run { name, id }];
        let ended = world.all_final(&taken, DEADLINE).await;
        let states = world.states(&taken).await.unwrap_or_default();
        if !ended || states.get(&id).is_none_or(|state| state != "completed") {
            verdict.lost(format!("the run that was taken without a broker is {states:?}"));
        }
    }
    world.verdict_after(1, &runs).await.and(verdict)
}

fn kill_housekeeper(world: &World, report: &mut Report) {
    world.stack.services["housekeeper"].signal("KILL");
    report.injected("housekeeper killed");
}

/// Row 7: everything that the broker kept is gone in the middle of the runs. The sweeper asks for it again, although the
/// first one dies as it begins.
pub(crate) async fn is_wiped(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    tokio::time::sleep(rng.millis(200, 1_000)).await;
    world.servers.wipe_nats().await;
    report.injected("broker wiped");
    let provisioned = until(DEADLINE, async || world.stack.bus.client().flush().await.is_ok()).await;
    world.stack.provision();
    world.dead = 0;
    // It looks every second for runs of which nothing has been heard for five.
    tokio::time::sleep(rng.millis(4_500, 6_500)).await;
    kill_housekeeper(world, report);
    let mut verdict = world.verdict_after(1, &runs).await;
    verdict.require(provisioned, || "the broker is not back".to_owned());
    verdict
}
