//! The housekeeper: what keeps the pipeline clean when the broker or a pod has failed. The only identity with
//! administrative rights on the broker; a role of this program, a small pod of its own.
//!
//! - The *reaper* takes out messages that the broker will not deliver any more and sends them again (see
//!   [`caffeine_bus::Reaper`]).
//! - The *sweeper* looks for working runs of which nothing has been heard and no message is stored anywhere: the broker
//!   has lost them, with its whole disk perhaps. It asks the gateway to publish again what began the run, in the next
//!   generation. Each stage finds its rows, skips what is stored and publishes its outputs again, so even a wiped
//!   broker loses nothing.
//! - The *collector* asks the owners of rows to remove what no kept snapshot needs any more.
//! - How much work waits where is shown as metrics (see [`Gauges`]), for people and for what adds pods.
//! - The streams of a deleted repository are purged when its deletion is commanded.
//! - Dead letters are sent again or dropped when an administrator says so (see [`crate::settler`]).
//!
//! It writes no row: what has to be written, it asks the owner for. Every message it publishes has a deterministic id,
//! so two housekeepers at once do no harm, and neither does the end of one at any line.

use std::time::Duration;

use async_trait::async_trait;
use caffeine_bus::{Bus, BusError, Reaped, Reaper};
use caffeine_contract::{Command, Scope, Service as Name};
use caffeine_kit::{Clients, Service};
use caffeine_model::Lane;
use caffeine_store::{SilentRun, Store, StoreError};
use serde::Deserialize;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::gauges::Gauges;
use crate::settler::settle_letters;

/// How many runs one pass of the sweeper looks at.
const SWEPT_AT_ONCE: i64 = 1_000;

/// The section `housekeeper` of the configuration. All times in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HousekeeperConfig {
    /// How often the reaper looks.
    reaper_seconds: f64,
    /// How long a message must have been undeliverable.
    reaper_age_seconds: f64,
    /// How often the sweeper looks.
    sweep_seconds: f64,
    /// How long nothing must have been heard of a run.
    sweep_age_seconds: f64,
    /// How often rows that nobody needs are asked to be removed.
    collect_seconds: f64,
    /// How often the levels of streams and runs are looked at.
    levels_seconds: f64,
}

impl Default for HousekeeperConfig {
    fn default() -> Self {
        Self {
            reaper_seconds: 60.0,
            reaper_age_seconds: 120.0,
            sweep_seconds: 60.0,
            sweep_age_seconds: 300.0,
            collect_seconds: 600.0,
            levels_seconds: 15.0,
        }
    }
}

/// The service.
pub(crate) struct Housekeeper {
    reaper: Reaper,
    reap_every: Duration,
    sweeper: Sweeper,
    sweep_every: Duration,
    collect_every: Duration,
    levels_every: Duration,
    gauges: Gauges,
    store: Store,
}

/// Why a pass ended early; the next one goes on.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] caffeine_bus::PublishError),
}

#[async_trait]
impl Service for Housekeeper {
    const NAME: Name = Name::Housekeeper;

    type Config = HousekeeperConfig;

    async fn from_config(config: HousekeeperConfig, clients: Clients) -> anyhow::Result<Self> {
        let Clients { bus, store } = clients;
        let age = seconds("sweep_age_seconds", config.sweep_age_seconds, 0.0)?;
        Ok(Self {
            reaper: Reaper::new(bus.clone(), seconds("reaper_age_seconds", config.reaper_age_seconds, 0.0)?),
            reap_every: seconds("reaper_seconds", config.reaper_seconds, 0.1)?,
            sweeper: Sweeper { bus, store: store.clone(), age },
            sweep_every: seconds("sweep_seconds", config.sweep_seconds, 0.1)?,
            collect_every: seconds("collect_seconds", config.collect_seconds, 0.1)?,
            levels_every: seconds("levels_seconds", config.levels_seconds, 0.1)?,
            gauges: Gauges::default(),
            store,
        })
    }

    async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let reaping = async {
            let mut ticks = ticks(self.reap_every);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                self.gauges.report("reaper", reap(&mut self.reaper, &self.store).await);
            }
        };
        let sweeping = async {
            let mut ticks = ticks(self.sweep_every);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                self.gauges.report("sweeper", self.sweeper.pass().await);
            }
        };
        let bus = self.sweeper.bus.clone();
        let collecting = async {
            let mut ticks = ticks(self.collect_every);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                self.gauges.report("collector", ask_to_collect(&bus, &self.store).await);
            }
        };
        let watching = async {
            let mut ticks = ticks(self.levels_every);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                self.gauges.report("levels", self.gauges.pass(&bus, &self.store).await);
            }
        };
        let purging = bus.purge_deleted(shutdown.clone());
        let settling = settle_letters(bus.clone(), self.store.clone(), shutdown.clone());
        let ((), (), (), (), purging, settling) =
            tokio::join!(reaping, sweeping, collecting, watching, purging, settling);
        purging?;
        Ok(settling?)
    }
}

/// A pass that took long is not made up for.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Gauges {
    fn report(&self, pass: &'static str, outcome: Result<(), PassError>) {
        match outcome {
            Ok(()) => self.passed(pass),
            Err(error) => tracing::warn!(pass, error = &error as &dyn std::error::Error, "a pass ended early"),
        }
    }

    async fn pass(&self, bus: &Bus, store: &Store) -> Result<(), PassError> {
        self.levels(&bus.levels().await?);
        self.runs(&store.working_runs().await?);
        Ok(())
    }
}

async fn reap(reaper: &mut Reaper, store: &Store) -> Result<(), PassError> {
    let is_over = |run| {
        let store = store.clone();
        async move { Ok::<bool, PassError>(store.run_is_over(run).await?) }
    };
    let reaped = reaper.pass(is_over).await?;
    if reaped != Reaped::default() {
        let Reaped { found, dropped, sent, kept } = reaped;
        tracing::warn!(found, dropped, sent, kept, "undeliverable messages were taken out");
    }
    Ok(())
}

async fn ask_to_collect(bus: &Bus, store: &Store) -> Result<(), PassError> {
    for (workspace, repository) in store.collectable_repositories().await? {
        bus.command(&Command::Collect { workspace, repository }).await?;
    }
    Ok(())
}

/// Asks again for runs that nobody works on any more.
struct Sweeper {
    bus: Bus,
    store: Store,
    /// How long nothing must have been heard of a run.
    age: Duration,
}

impl Sweeper {
    async fn pass(&self) -> Result<(), PassError> {
        for run in self.store.silent_runs(self.age, SWEPT_AT_ONCE).await? {
            let lost = !self.bus.has_work(run.workspace, run.repository, run.run).await?;
            // It may have ended since the rows were read, which is why nothing is stored of it.
            if lost && !self.store.run_is_over(run.run).await? {
                self.ask_again(&run).await?;
            }
        }
        Ok(())
    }

    async fn ask_again(&self, run: &SilentRun) -> Result<(), PassError> {
        tracing::warn!(run_id = %run.run, generation = run.next.0, "nothing is stored of a working run; asking again");
        let scope = Scope {
            workspace: run.workspace,
            repository: run.repository,
            run: run.run,
            generation: run.next,
            lane: Lane::Interactive,
            analyser: run.analyser.clone(),
            embedding_model: run.embedding_model.clone(),
        };
        let reason = "No message of the run was left on the broker; its requests are published again.".to_owned();
        Ok(self.bus.ask_again(&scope, run.next, reason, false).await?)
    }
}

fn seconds(name: &str, value: f64, least: f64) -> anyhow::Result<Duration> {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if value >= least => Ok(duration),
        _ => anyhow::bail!("`{name}` must be a number of seconds, {least} or more"),
    }
}
