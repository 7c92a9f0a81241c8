//! Row 18: a big repository does not keep small ones waiting. The large figures come from `bench/fairness`.

use std::time::Duration;

use caffeine_testkit::git::GitFixture;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{Run, World, until};

/// Files of the big repository: it goes through the bulk lane.
const MANY_FILES: usize = 4_000;
const SMALL: usize = 20;
const PATIENCE: Duration = Duration::from_secs(240);

/// Row 18: twenty small repositories at once, first alone, then beside a big one that has just begun.
pub(crate) async fn beside_a_big_one(world: &mut World, _: &mut Rng, report: &mut Report) -> Verdict {
    let small = GitFixture::with_files((0..20).map(|number| (format!("src/f{number}.py"), source(number))));
    let big = GitFixture::with_files(
        (0..MANY_FILES).map(|number| (format!("d{}/f{number}.py", number % 40), source(number))),
    );
    let mut verdict = Verdict::default();

    let alone = many(world, &small).await;
    verdict.require(world.all_final(&alone, PATIENCE).await, || "the small ones do not end alone".to_owned());
    let alone_p95 = p95(world, &alone).await;

    let address = world.site.address_of("huge", &big);
    let huge = world.submit_one("huge", &address).await;
    let big_runs = [huge];
    let began = until(PATIENCE, async || {
        world.states(&big_runs).await.is_some_and(|states| {
            states.values().all(|state| state == "cloned" || state == "indexed" || state == "analysed")
        }) || world.number("SELECT count(*) FROM file_batches WHERE run_id = ANY($1)", &big_runs).await > 0
    })
    .await;
    verdict.require(began, || "the big one never began".to_owned());
    let beside = many(world, &small).await;
    verdict.require(world.all_final(&beside, PATIENCE).await, || "the small ones do not end".to_owned());
    let beside_p95 = p95(world, &beside).await;
    let was_busy =
        world.number("SELECT count(*) FROM runs WHERE run_id = ANY($1) AND ended_at IS NULL", &big_runs).await == 1;

    report.injected_times("small repositories beside a big one", SMALL as u64);
    report.worst("seconds, p95 of 20 small repositories alone", alone_p95);
    report.worst("seconds, p95 of 20 small repositories beside a big one", beside_p95);
    verdict.require(was_busy, || "the big one had ended before the small ones".to_owned());
    verdict.require(beside_p95 < 3.0 * alone_p95, || format!("p95 is {beside_p95:.1} s, alone {alone_p95:.1} s"));
    verdict.require(world.all_final(&big_runs, PATIENCE).await, || "the big one does not end".to_owned());
    let states = world.states(&big_runs).await.unwrap_or_default();
    verdict.require(states.values().all(|state| state == "completed"), || format!("the big one is {states:?}"));
    verdict
}

async fn many(world: &mut World, fixture: &GitFixture) -> Vec<Run> {
    let mut runs = Vec::new();
    for _ in 0..SMALL {
        let address = world.site.address_of("small", fixture);
        runs.push(world.submit_one("small", &address).await);
    }
    runs
}

/// Seconds from asking to the end that nineteen of twenty stay below.
async fn p95(world: &World, runs: &[Run]) -> f64 {
    let question = "SELECT (percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - created_at)) * 1000)::bigint \
                    FROM runs WHERE run_id = ANY($1)";
    Duration::from_millis(world.number(question, runs).await.unsigned_abs()).as_secs_f64()
}

fn source(number: usize) -> String {
    format!(
        "\"\"\"File {number}.\"\"\"\n\n\ndef f{number}(a: int) -> int:\n    \"\"\"Adds {number}.\"\"\"\n    return a + {number}\n"
    )
}
