//! Rows 8 and 9: the database goes away, is busy, refuses.

use std::time::Duration;

use caffeine_e2e::signal;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, Run, World, until};

/// A scaled outage.
const AWAY: Duration = Duration::from_secs(6);

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

    // Whoever writes an analysis or a vector waits, with a connection in hand, until the pools are empty.
    let mut holder = world.stack.database.pool().acquire().await.expect("a connection");
    sqlx::raw_sql("BEGIN; LOCK TABLE file_batches, chunk_batches, embedded_versions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *holder)
        .await
        .expect("tables can be locked");
    let runs = world.submit().await;
    tokio::time::sleep(AWAY * 2).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut *holder).await.expect("the locks can be let go");
    drop(holder);
    report.injected("connections all busy for 12 s");
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
