//! Many clients follow many runs while the gateway is killed and stopped under them.
//!
//! The workers are frozen until every stream is open, so that each client sees its run from the first event. Nine of ten
//! clients read, every fifth of those slowly; the tenth opens its stream and never reads. Half of those follow a run whose
//! events are more than any buffer between two sockets holds.

mod reader;
mod report;
mod sampler;
mod silent;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use caffeine_e2e::{Stack, StackOptions};
use caffeine_servers::git_http::GitHttpServer;
use caffeine_testkit::eventually;
use caffeine_testkit::git::GitFixture;
use tokio::task::JoinSet;
use uuid::Uuid;

use reader::{Reader, Seen};
pub(crate) use report::Report;
use sampler::{Sample, Sampler};
use silent::Silent;

/// How long everything may take to open, and how long it may take to end.
const PATIENCE: Duration = Duration::from_secs(400);
/// Events of the run that nobody reads: some 250 bytes each, which is more than sockets buffer.
const MANY_EVENTS: i32 = 20_000;
/// When the gateway gives up on a client that takes nothing, here.
const STALLED: Duration = Duration::from_secs(5);
/// How long it may take until those who do not read are given up: much has to be written for them first.
const GIVING_UP: Duration = Duration::from_secs(90);
/// Files that the gateway has besides its streams, more or less.
const SPARE: usize = 8;
/// How long the idle cost is measured.
const IDLE: Duration = Duration::from_secs(6);

/// How much is asked of the gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) streams: usize,
    pub(crate) runs: usize,
    /// How many files the gateway may have open when it starts, as a login shell would limit it.
    pub(crate) files: usize,
}

/// What a client does with its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Reader,
    Slow,
    /// Does not read.
    Silent,
    /// Does not read a run of many events.
    SilentOnLong,
}

impl Plan {
    /// What a client does, spread over the runs.
    fn role(self, client: usize) -> Role {
        match (client / self.runs + client % self.runs) % 20 {
            9 => Role::SilentOnLong,
            19 => Role::Silent,
            3 | 8 | 13 | 18 => Role::Slow,
            _ => Role::Reader,
        }
    }

    /// How many of them there are.
    fn count(self, role: Role) -> usize {
        (0..self.streams).filter(|client| self.role(*client) == role).count()
    }

    /// Runs it, and says what was seen.
    pub(crate) async fn run(self) -> Report {
        let site = Site::start(self.runs).await;
        let limited = format!("ulimit -S -n {}; exec \"$0\"", self.files);
        let stack = Stack::start(StackOptions {
            in_front: BTreeMap::from([("gateway", vec!["sh".to_owned(), "-c".to_owned(), limited])]),
            variables: vec![("CAFFEINE_GATEWAY_STALLED_SECONDS".to_owned(), STALLED.as_secs().to_string())],
            ..StackOptions::with_host(site.host())
        })
        .await;
        Following { plan: self, stack, site, began: Instant::now() }.run().await
    }
}

struct Following {
    plan: Plan,
    stack: Stack,
    site: Site,
    began: Instant,
}

impl Following {
    async fn run(self) -> Report {
        let long = self.long_run().await;
        self.stack.services["cloner"].signal("STOP");
        let mut runs = Vec::new();
        for url in &self.site.urls {
            runs.push(self.stack.api.submit(url).await);
        }
        let sampler = Sampler::start(self.stack.services["gateway"].shared_pid(), self.stack.api.clone());
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let before = sampler.last().expect("the gateway runs");

        let opened = Arc::new(AtomicUsize::new(0));
        let (http, mut readers, mut silent, mut stuck) = (reader::client(), JoinSet::new(), Vec::new(), Vec::new());
        for client in 0..self.plan.streams {
            let run = runs[client % runs.len()];
            let is_slow = match self.plan.role(client) {
                Role::Silent => {
                    silent.push(Silent::open(&self.stack.api, run).await);
                    continue;
                }
                Role::SilentOnLong => {
                    stuck.push(Silent::open(&self.stack.api, long).await);
                    continue;
                }
                role => role == Role::Slow,
            };
            let reader = Reader { http: http.clone(), api: self.stack.api.clone(), run, is_slow };
            let opened = Arc::clone(&opened);
            readers.spawn(async move {
                let seen = reader
                    .follow(|| {
                        opened.fetch_add(1, Ordering::SeqCst);
                    })
                    .await;
                (run, is_slow, seen)
            });
        }
        let reading = readers.len();
        eventually(PATIENCE, || async { opened.load(Ordering::SeqCst) == reading }).await;
        let opened_after = self.began.elapsed();
        let cut_off = given_up(&mut stuck).await;
        // The next look.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let all_open = sampler.last().expect("the gateway runs");
        let idle = self.idle(&sampler).await;

        self.stack.services["cloner"].signal("CONT");
        let third = self.plan.runs / 3;
        self.ended_at_least(&runs, third).await;
        self.stack.services["gateway"].signal("KILL");
        // Whoever does not read now has not read before, so it comes back as if it were new.
        silent.extend(self.open_silent(&runs).await);
        self.ended_at_least(&runs, 2 * third).await;
        self.stack.services["gateway"].signal("TERM");

        let mut seen = Vec::new();
        let ending = async {
            while let Some(one) = readers.join_next().await {
                seen.push(one.expect("a reader does not fail"));
            }
        };
        let all_ended = tokio::time::timeout(PATIENCE, ending).await.is_ok();
        let took = self.began.elapsed();
        drop(silent);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let starts = self.stack.services["gateway"].starts();
        let (samples, answers) = sampler.stop().await;
        let missing = if all_ended { 0 } else { reading - seen.len() };
        let rows = self.rows(&runs).await;
        let connections = self.connections().await;
        Report {
            plan: self.plan,
            rows,
            seen,
            missing,
            samples,
            answers,
            before,
            all_open,
            idle,
            opened_after,
            took,
            starts,
            cut_off,
            connections,
        }
    }
}

impl Following {
    /// A completed run that has got more events than any real one has.
    async fn long_run(&self) -> Uuid {
        let run = self.stack.api.submit(&self.site.long).await;
        assert_eq!(self.stack.ended(run, Duration::from_secs(60)).await, "completed");
        let pool = self.stack.database.pool();
        sqlx::query(
            "INSERT INTO run_events (run_id, sequence, workspace_id, transition, occurred_at, payload)
             SELECT run_id, last_sequence + n, workspace_id, 'noted/' || n, now(), jsonb_build_object('why', repeat('-', 150))
             FROM runs, generate_series(1, $2) n WHERE run_id = $1",
        )
        .bind(run)
        .bind(MANY_EVENTS)
        .execute(pool)
        .await
        .expect("events can be written");
        sqlx::query("UPDATE runs SET last_sequence = last_sequence + $2 WHERE run_id = $1")
            .bind(run)
            .bind(MANY_EVENTS)
            .execute(pool)
            .await
            .expect("the run can be written");
        run
    }

    /// What it costs that all streams are open and nothing happens: transactions and processor time per second.
    async fn idle(&self, sampler: &Sampler) -> (f64, f64) {
        let (from, begin, time) = (self.transactions().await, sampler.last(), Instant::now());
        tokio::time::sleep(IDLE).await;
        let (to, end, seconds) = (self.transactions().await, sampler.last(), time.elapsed().as_secs_f64());
        let processor = |sample: Option<Sample>| sample.map_or(0.0, |sample| sample.processor);
        ((to - from) as f64 / seconds, (processor(end) - processor(begin)) / seconds)
    }

    async fn transactions(&self) -> i64 {
        sqlx::query_scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(self.stack.database.pool())
            .await
            .expect("the database counts")
    }

    async fn open_silent(&self, runs: &[Uuid]) -> Vec<Silent> {
        let mut silent = Vec::new();
        for client in (0..self.plan.streams).filter(|client| self.plan.role(*client) == Role::Silent) {
            silent.push(Silent::open(&self.stack.api, runs[client % runs.len()]).await);
        }
        silent
    }

    /// Waits until so many runs have ended, by their rows: the gateway may be away.
    async fn ended_at_least(&self, runs: &[Uuid], count: usize) {
        let wanted = i64::try_from(count).expect("a small number");
        eventually(PATIENCE, || async {
            let ended: i64 =
                sqlx::query_scalar("SELECT count(*) FROM runs WHERE run_id = ANY($1) AND ended_at IS NOT NULL")
                    .bind(runs)
                    .fetch_one(self.stack.database.pool())
                    .await
                    .expect("runs can be counted");
            ended >= wanted
        })
        .await;
    }

    /// The stored events of each run: sequence, and when it was so.
    async fn rows(&self, runs: &[Uuid]) -> BTreeMap<Uuid, Vec<(u64, f64)>> {
        let rows: Vec<(Uuid, i64, f64)> = sqlx::query_as(
            "SELECT run_id, sequence, extract(epoch FROM occurred_at)::float8 FROM run_events
             WHERE run_id = ANY($1) ORDER BY run_id, sequence",
        )
        .bind(runs)
        .fetch_all(self.stack.database.pool())
        .await
        .expect("events can be read");
        let mut events: BTreeMap<_, Vec<_>> = runs.iter().map(|run| (*run, Vec::new())).collect();
        for (run, sequence, at) in rows {
            events.entry(run).or_default().push((sequence.unsigned_abs(), at));
        }
        events
    }

    /// Connections of the gateway to the database.
    async fn connections(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gateway'",
        )
        .fetch_one(self.stack.database.pool())
        .await
        .expect("connections can be counted")
    }
}

/// Waits until the gateway has given up these clients, and says how many it has.
async fn given_up(stuck: &mut [Silent]) -> usize {
    let begun = Instant::now();
    loop {
        let cut_off = stuck.iter_mut().filter_map(|one| one.is_cut_off().then_some(())).count();
        if cut_off == stuck.len() || begun.elapsed() > GIVING_UP {
            return cut_off;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One small repository at an address for each run.
struct Site {
    urls: Vec<String>,
    /// One more.
    long: String,
    server: GitHttpServer,
    _root: tempfile::TempDir,
    _fixture: GitFixture,
}

impl Site {
    async fn start(count: usize) -> Self {
        let fixture = GitFixture::with_files([
            ("README.md", "# Followed\n\nA small repository.\n"),
            ("lib/text.py", "def join(name: str) -> str:\n    \"\"\"Join.\"\"\"\n    return name + name\n"),
        ]);
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let server = GitHttpServer::start(root.path().to_owned()).await.expect("the fixtures can be served");
        let mut urls = Vec::new();
        for number in 0..=count {
            let folder = root.path().join(number.to_string());
            std::fs::create_dir(&folder).expect("a folder can be made");
            symlink(fixture.path(), folder.join("followed.git")).expect("a link can be made");
            urls.push(server.repo_url(&format!("{number}/followed.git")));
        }
        let long = urls.pop().expect("there is one more");
        Self { urls, long, server, _root: root, _fixture: fixture }
    }

    /// Host and port, as an allow-list takes them.
    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }
}
