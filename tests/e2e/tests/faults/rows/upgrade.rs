//! Row 19: old and new programs on the same streams.

use std::path::PathBuf;
use std::time::Duration;

use caffeine_e2e::{Api, Stack, StackOptions, signal};

use crate::faults::report::{Report, Verdict};
use crate::faults::world::{World, until};

/// Where the programs of an earlier version are.
const OLD_PROGRAMS: &str = "OLD_BIN_DIR";

const PATIENCE: Duration = Duration::from_secs(120);

/// Row 19: an installation of the earlier version gets schema, streams and second pods of the present one under load;
/// then its old pods are stopped one after the other, the gateway after those that would serve its runs.
pub(crate) async fn rolls(world: &mut World, report: &mut Report) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(old) = std::env::var_os(OLD_PROGRAMS).filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
        verdict.require(false, || {
            format!("{OLD_PROGRAMS} names no folder with the programs of an earlier version: `make chaos OLD=<commit>` builds them")
        });
        return verdict;
    };
    let mut stack = Stack::start(StackOptions {
        servers: Some((world.servers.nats.url(), world.servers.postgres.url())),
        old_programs: Some(old),
        ..StackOptions::with_host(world.site.host())
    })
    .await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        runs.extend(submit(&stack.api, world).await);
    }
    stack.upgrade().await;
    report.injected("old and new programs on the same streams");
    let (_, url) = world.site.fresh()[1].clone();
    let (status, _) = stack.api.post("/repositories", &serde_json::json!({ "url": url })).await;
    // Not a matter of the streams: whether a migration keeps to its own rules.
    report.worst("status of a request to the old gateway after the migration", f64::from(status));
    for _ in 0..2 {
        runs.extend(submit(&stack.second_api, world).await);
    }
    for name in ["doc-writer", "embedder", "chunker", "gateway", "cloner"] {
        if name == "gateway" {
            // Runs that are fixed to the versions of pods that are gone.
            runs.extend(submit(&stack.api, world).await);
        }
        let process = stack.services.remove(name).expect("every service has a first pod");
        signal(process.pid(), "TERM");
        let before = process.starts();
        let ended = until(PATIENCE, async || process.starts() > before).await;
        verdict.require(ended, || format!("the old {name} does not stop"));
        report.injected("old pod stopped");
        runs.extend(submit(&stack.second_api, world).await);
    }
    let ended = until(PATIENCE, async || {
        let mut all = true;
        for run in &runs {
            all &= is_written(&stack.second_api, *run).await;
        }
        all
    })
    .await;
    let mut states = Vec::new();
    for run in &runs {
        states.push(stack.second_api.run(*run).await.0);
    }
    let replaced = states.iter().filter(|state| *state == "superseded").count();
    report.worst("runs whose versions were gone, begun anew", replaced as f64);
    if !ended {
        verdict.stuck(format!("runs are {states:?}"));
        println!("logs are kept in {}", stack.keep_logs("row-19").display());
    }
    verdict
}

/// Whether a run has completed, or the one that took its place because its versions are gone.
async fn is_written(api: &Api, run: uuid::Uuid) -> bool {
    let (mut state, mut view) = api.run(run).await;
    if state == "superseded" {
        let repository = view["repository_id"].as_str().expect("a run is of a repository");
        let (_, runs) = api.get(&format!("/repositories/{repository}/runs")).await;
        view = runs["items"][0].clone();
        state = view["state"].as_str().unwrap_or_default().to_owned();
    }
    state == "completed"
}

async fn submit(api: &Api, world: &mut World) -> Vec<uuid::Uuid> {
    let mut runs = Vec::new();
    for (_, url) in world.site.fresh() {
        runs.push(api.submit(&url).await);
    }
    runs
}
