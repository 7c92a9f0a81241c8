//! Rows 8 and 9: the database goes away, is busy, refuses.

use std::time::{Duration, Instant};

use caffeine_e2e::signal;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, Run, World, until};

/// A scaled outage.
const AWAY: Duration = Duration::from_secs(6);

/// What each pod's pool has at most, as the stack is set up, and how many pods each service has.
const CONNECTIONS: i64 = 4;
const PODS: i64 = 2;

/// Row 8: a fast restart, or an immediate stop that PostgreSQL has to recover from.
pub(crate) async fn restarts(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    tokio::time::sleep(rng.millis(0, 1_000)).await;
    if rng.turn(&[true, false]) {
        report.injected("database restarted");
    } else {
        signal(world.servers.postgres.pid(), "QUIT");
        until(DEADLINE, async || !world.servers.postgres.is_running()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        report.injected("database stopped at once");
    }
    world.servers.restart_postgres().await;
    let mut verdict = world.verdict_after(1, &runs).await;
    no_attempt_burnt(world, &runs, &mut verdict).await;
    verdict
}

/// An outage is nobody's fault: no message was called a failure for it.
pub(crate) async fn no_attempt_burnt(world: &World, runs: &[Run], verdict: &mut Verdict) {
    let attempts = world
        .number(
            "SELECT coalesce(sum(attempts), 0) FROM (SELECT run_id, attempts FROM clone_inbox \
             UNION ALL SELECT run_id, attempts FROM chunk_inbox UNION ALL SELECT run_id, attempts FROM embed_inbox \
             UNION ALL SELECT run_id, attempts FROM document_inbox) AS inboxes WHERE run_id = ANY($1)",
            runs,
        )
        .await;
    verdict.require(attempts == 0, || format!("{attempts} attempts were counted"));
}

/// Row 9: away for seconds; all connections busy; transactions that lose against each other.
pub(crate) async fn presses_back(world: &mut World, _: &mut Rng, report: &mut Report) -> Verdict {
    let mut verdict = Verdict::default();

    let runs = world.submit().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    world.servers.postgres.stop().await;
    tokio::time::sleep(AWAY).await;
    world.servers.restart_postgres().await;
    report.injected("database away for 6 s");
    verdict = verdict.and(world.verdict_after(1, &runs).await);
    no_attempt_burnt(world, &runs, &mut verdict).await;

    // Whoever writes an analysis or a vector waits, with a connection in hand.
    let holder = hold(world, "file_batches, chunk_batches, embedded_versions").await;
    let runs = world.submit().await;
    tokio::time::sleep(AWAY * 2).await;
    release(holder).await;
    report.injected("tables locked for 12 s");
    verdict = verdict.and(world.verdict_after(1, &runs).await);
    no_attempt_burnt(world, &runs, &mut verdict).await;

    // A gateway works on twice as many transitions at once as it has connections: nobody else gets one.
    let mut runs = world.submit().await;
    runs.extend(world.submit_more().await);
    let holder = hold(world, "run_events").await;
    let held = Instant::now();
    let mut waiting = 0;
    while held.elapsed() < AWAY * 2 {
        waiting = waiting.max(most_waiting(world).await);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    release(holder).await;
    report.injected("all connections of gateways busy for 12 s");
    report.worst("connections of one service's two pods, four each, that waited", waiting as f64);
    verdict.require(waiting > PODS * (CONNECTIONS - 1), || {
        format!("at most {waiting} connections of a service waited: no pool of {CONNECTIONS} was surely exhausted")
    });
    verdict = verdict.and(world.verdict_after(1, &runs).await);
    no_attempt_burnt(world, &runs, &mut verdict).await;

    for (name, code) in [("serialization failures", "40001"), ("deadlocks", "40P01")] {
        execute(world, &losing_transactions(code)).await;
        let runs = world.submit().await;
        verdict = verdict.and(world.verdict_after(1, &runs).await);
        no_attempt_burnt(world, &runs, &mut verdict).await;
        let thrown: i64 = sqlx::query_scalar("SELECT last_value FROM chaos_thrown")
            .fetch_one(world.stack.database.pool())
            .await
            .expect("the count can be read");
        execute(world, "DROP FUNCTION chaos_lose CASCADE; DROP SEQUENCE chaos_thrown").await;
        verdict.require(thrown > 5, || format!("only {thrown} {name}"));
        report.injected_times(name, thrown.unsigned_abs());
    }
    verdict
}

/// Locks tables until [`release`].
async fn hold(world: &World, tables: &str) -> PoolConnection<Postgres> {
    let mut holder = world.stack.database.pool().acquire().await.expect("a connection");
    let lock = format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut *holder).await.expect("tables can be locked");
    holder
}

async fn release(mut holder: PoolConnection<Postgres>) {
    sqlx::raw_sql("ROLLBACK").execute(&mut *holder).await.expect("the locks can be let go");
}

/// The most connections of one service that wait for a lock now.
async fn most_waiting(world: &World) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(max(waiting), 0) FROM (SELECT count(*) AS waiting FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' GROUP BY application_name) AS services",
    )
    .fetch_one(world.stack.database.pool())
    .await
    .expect("the server knows its sessions")
}

/// Half of the transactions that end a batch, a page or a transition lose.
fn losing_transactions(code: &str) -> String {
    let mut script = format!(
        "CREATE SEQUENCE chaos_thrown; CREATE FUNCTION chaos_lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF random() < 0.5 THEN PERFORM nextval('chaos_thrown'); RAISE EXCEPTION 'as the test asks' USING ERRCODE = '{code}'; \
         END IF; RETURN NEW; END $$;"
    );
    for table in ["snapshots", "file_batches", "chunk_batches", "revisions", "run_events"] {
        script.push_str(&format!(
            "CREATE TRIGGER chaos BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION chaos_lose();"
        ));
    }
    script
}

async fn execute(world: &World, script: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(script.to_owned()))
        .execute(world.stack.database.pool())
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"));
}
