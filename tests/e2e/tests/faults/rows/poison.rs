//! Row 14: messages that cannot be read, and messages that end whoever reads them.

use async_nats::HeaderMap;

use crate::faults::oracle::Expected;
use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, Run, Setup, World, until};

/// Enough for a chunker's threads and tables, too little for what `oom` takes.
const LIMIT_KIB: u64 = 1536 * 1024;

pub(crate) fn setup() -> Setup {
    Setup { chunker_limit_kib: Some(LIMIT_KIB), ..Setup::default() }
}

/// Row 14. One dead letter each, and the neighbours do not notice.
pub(crate) async fn strikes(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let kind = rng.turn(&["garbage", "garbage with headers", "panic", "abort", "oom"]);
    report.injected(format!("poison: {kind}"));
    match kind {
        "garbage" => garbage(world, false).await,
        "garbage with headers" => garbage(world, true).await,
        action => deadly(world, action).await,
    }
}

/// Bytes that are no message, beside the sound messages of a run.
async fn garbage(world: &mut World, with_headers: bool) -> Verdict {
    let runs = world.submit().await;
    // The first batch of the big run says where and as whose the garbage has to come.
    let mut found = None;
    until(DEADLINE, async || {
        let batch = world.watch.take_published().into_iter().find(|heard| heard.subject.contains(".files.batch."));
        found = batch;
        found.is_some()
    })
    .await;
    let heard = found.expect("a run sends batches");
    let mut headers = HeaderMap::new();
    if with_headers {
        for (name, values) in heard.headers.iter().filter(|(name, _)| name.to_string().starts_with("Caffeine-")) {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
        // A batch that nobody waits for: the run's own are sound.
        headers.insert("Caffeine-Key", "none");
    }
    let sent = world.stack.bus.jetstream().publish_with_headers(heard.subject, headers, "\u{7}garbage".into()).await;
    sent.expect("the broker takes it").await.expect("the broker stores it");
    world.verdict_but(&runs, &Expected { dead: 1, ..Expected::default() }).await
}

/// A batch that only the big repository has ends its reader each time.
async fn deadly(world: &mut World, action: &str) -> Verdict {
    let marker = world.arm(&format!("chunker:files.batch#4:in_handler={action}!"));
    let runs = world.submit().await;
    let expected = Expected { dead: 1, victims: vec!["big"], ..Expected::default() };
    let mut verdict = world.verdict_but(&runs, &expected).await;
    world.disarm();
    let strikes = std::fs::read_to_string(&marker).unwrap_or_default().lines().count();
    verdict.require(strikes > 1, || format!("it struck {strikes} times"));
    let victims: Vec<Run> = runs.into_iter().filter(|run| run.name == "big").collect();
    let states = world.states(&victims).await.unwrap_or_default();
    verdict.require(states.values().all(|state| state == "failed" || state == "completed_with_errors"), || {
        format!("the run with the poison is {states:?}")
    });
    verdict
}
