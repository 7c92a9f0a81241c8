//! A client that follows a run to its end, through every break, and writes down what it saw.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caffeine_e2e::Api;
use futures::StreamExt as _;
use uuid::Uuid;

/// A stream says something at least every 15 seconds; one that is silent for longer is broken.
const SILENCE: Duration = Duration::from_secs(40);
/// How long a client waits before it comes back.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a slow client takes over what it was sent.
const SLOW: Duration = Duration::from_millis(700);

/// What a client saw of its run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The ids in the order in which they came, and when.
    pub(crate) ids: Vec<(u64, f64)>,
    pub(crate) progress: u64,
    /// How often a stream was opened.
    pub(crate) opened: u32,
    /// Answers that were no stream, by their status; 0 is no answer.
    pub(crate) refused: Vec<u16>,
    /// The state that the end of the stream named.
    pub(crate) end: Option<String>,
}

/// One client.
pub(crate) struct Reader {
    pub(crate) http: reqwest::Client,
    pub(crate) api: Api,
    pub(crate) run: Uuid,
    pub(crate) is_slow: bool,
}

/// Connections of all clients, none of which is used twice at once.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().read_timeout(SILENCE).build().expect("a client can be built")
}

impl Reader {
    /// Reads until the end of the run. `opened` is called after the first stream was opened.
    pub(crate) async fn follow(self, opened: impl FnOnce()) -> Seen {
        let mut seen = Seen::default();
        let mut opened = Some(opened);
        while seen.end.is_none() {
            let url = format!("{}/api/v1/runs/{}/events", self.api.base(), self.run);
            let mut request = self.http.get(url).bearer_auth(self.api.token());
            if let Some((last, _)) = seen.ids.last() {
                request = request.header("Last-Event-ID", *last);
            }
            match request.send().await {
                Ok(answer) if answer.status() == 200 => {
                    seen.opened += 1;
                    if let Some(opened) = opened.take() {
                        opened();
                    }
                    self.read(answer, &mut seen).await;
                }
                Ok(answer) => seen.refused.push(answer.status().as_u16()),
                // The gateway is away.
                Err(_) => seen.refused.push(0),
            }
            if seen.end.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        seen
    }

    /// Reads one stream until it ends or breaks.
    async fn read(&self, answer: reqwest::Response, seen: &mut Seen) {
        let mut bytes = answer.bytes_stream();
        let mut text = String::new();
        while let Some(Ok(part)) = bytes.next().await {
            text.push_str(std::str::from_utf8(&part).expect("events are ASCII here"));
            while let Some((event, rest)) = text.split_once("\n\n") {
                note(event, seen);
                text = rest.to_owned();
            }
            if seen.end.is_some() {
                return;
            }
            if self.is_slow {
                tokio::time::sleep(SLOW).await;
            }
        }
    }
}

fn note(event: &str, seen: &mut Seen) {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    match field("event: ") {
        Some("transition") => {
            let id = field("id: ").and_then(|id| id.parse().ok()).expect("a transition has an id");
            seen.ids.push((id, now()));
        }
        Some("progress") => seen.progress += 1,
        Some("end") => {
            let data: serde_json::Value =
                field("data: ").and_then(|data| serde_json::from_str(data).ok()).expect("an end has data");
            seen.end = data["state"].as_str().map(str::to_owned);
        }
        // A comment that keeps the connection.
        _ => {}
    }
}

/// Seconds of the machine's clock, which the services read too.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs_f64()
}
