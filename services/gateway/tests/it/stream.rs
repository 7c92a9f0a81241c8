//! Server-sent events.

use std::collections::VecDeque;

use caffeine_contract::v1;
use caffeine_testkit::eventually;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::{Method, Response};
use serde_json::Value;
use v1::run_transition::Transition;

use crate::fixture::{DEADLINE, Fixture, answer, course};

/// One event: its id, name and data.
#[derive(Debug)]
struct Sse {
    id: Option<u64>,
    name: String,
    data: Value,
}

struct Reader {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: String,
    ready: VecDeque<Sse>,
}

impl Reader {
    async fn open(fixture: &Fixture, run: &str, last: Option<u64>) -> Self {
        let mut request = fixture.request(Method::GET, &format!("/api/v1/runs/{run}/events"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        Self::of(request.send().await.unwrap())
    }

    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { bytes: response.bytes_stream().boxed(), buffer: String::new(), ready: VecDeque::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Sse> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let bytes = tokio::time::timeout(DEADLINE, self.bytes.next()).await.expect("something comes")?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
            while let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(data) = field("data: ") {
                    self.ready.push_back(Sse {
                        id: field("id: ").map(|id| id.parse().unwrap()),
                        name: field("event: ").unwrap_or_default(),
                        data: serde_json::from_str(&data).unwrap(),
                    });
                }
                self.buffer = rest.to_owned();
            }
        }
    }

    async fn rest(mut self) -> Vec<Sse> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn transitions(events: &[Sse]) -> Vec<(u64, String)> {
    let transitions = events.iter().filter(|event| event.name == "transition");
    transitions
        .map(|event| {
            assert_eq!(event.id, event.data["sequence"].as_u64());
            (event.id.unwrap(), event.data["transition"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn rows_come_first_then_what_happens_then_the_end() {
    let fixture = Fixture::start().await;
    let (scope, documents) = fixture.add("https://git.example/a").await;
    let run = scope.run.to_string();
    let mut course = VecDeque::from(course(&documents));
    fixture.report(&scope, course.pop_front().unwrap()).await;
    fixture.reaches(scope.run, "cloning").await;

    let mut reader = Reader::open(&fixture, &run, None).await;
    let first = reader.next().await.unwrap();
    assert_eq!((first.id, first.data["transition"].as_str()), (Some(1), Some("clone_started")));
    fixture.report(&scope, course.pop_front().unwrap()).await;
    let second = reader.next().await.unwrap();
    assert_eq!((second.id, second.data["transition"].as_str()), (Some(2), Some("planned")));
    assert_eq!(second.data["payload"]["batches"], 2);

    let progress = v1::StageProgress { stage: "analyse".to_owned(), done: 1, total: 2, unit: "batches".to_owned() };
    fixture.bus.emit(
        "progress",
        v1::Event { scope: Some(scope.to_wire()), event: Some(v1::event::Event::Progress(progress)) },
    );
    let third = reader.next().await.unwrap();
    assert_eq!((third.id, third.name.as_str()), (None, "progress"));
    assert_eq!((&third.data["stage"], &third.data["done"]), (&"analyse".into(), &1.into()));

    for transition in course {
        fixture.report(&scope, transition).await;
    }
    let rest = reader.rest().await;
    let end = rest.last().unwrap();
    assert_eq!((end.name.as_str(), end.id, end.data["state"].as_str()), ("end", None, Some("completed")));
    let ids: Vec<u64> = transitions(&rest).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [3, 4, 5, 6, 7]);

    // A reader that comes back sees exactly what it missed, however often it comes.
    let all = transitions(&Reader::open(&fixture, &run, None).await.rest().await);
    assert_eq!(all.len(), 7);
    for seen in 0..=7 {
        let missed = Reader::open(&fixture, &run, Some(seen)).await.rest().await;
        assert_eq!(transitions(&missed), all[usize::try_from(seen).unwrap()..], "after {seen}");
        assert_eq!(missed.last().unwrap().name, "end");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn only_the_own_run_and_a_valid_id() {
    let fixture = Fixture::start().await;
    let (one, _) = fixture.add("https://git.example/1").await;
    let (other, _) = fixture.add("https://git.example/2").await;
    let mut reader = Reader::open(&fixture, &one.run.to_string(), None).await;
    fixture.report(&other, Transition::CloneStarted(v1::CloneStarted {})).await;
    fixture.reaches(other.run, "cloning").await;
    fixture.report(&one, Transition::Cancelled(v1::RunCancelled {})).await;
    assert_eq!(reader.next().await.unwrap().data["transition"], "cancelled");
    let end = reader.next().await.unwrap();
    assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &"cancelled".into()));
    let bad = fixture
        .request(Method::GET, &format!("/api/v1/runs/{}/events", one.run))
        .header("Last-Event-ID", "x")
        .send()
        .await
        .unwrap();
    let (status, problem) = crate::fixture::answer(bad).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("bad_event_id")));
    fixture.stop().await;
}

#[tokio::test]
async fn more_rows_than_a_page_are_all_sent() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/1").await;
    fixture
        .execute(
            "INSERT INTO run_events (run_id, sequence, workspace_id, transition, occurred_at, payload)
             SELECT run_id, n, workspace_id, 'noted/' || n, now(), '{}' FROM runs, generate_series(1, 250) n;
             UPDATE runs SET state = 'completed', last_sequence = 250, ended_at = now()",
        )
        .await;
    let events = Reader::open(&fixture, &scope.run.to_string(), Some(7)).await.rest().await;
    let ids: Vec<u64> = transitions(&events).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, (8..=250).collect::<Vec<_>>());
    fixture.stop().await;
}

#[tokio::test]
async fn open_streams_end_with_the_pod() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/1").await;
    let reader = Reader::open(&fixture, &scope.run.to_string(), None).await;
    fixture.stop.cancel();
    assert!(reader.rest().await.is_empty(), "the stream ends without an `end` event: the client comes back");
    fixture.stop().await;
}

#[tokio::test]
async fn nobody_has_more_than_so_many_nor_longer_than_the_token() {
    let fixture = Fixture::start_with(|config| config.event_streams = 2).await;
    let (scope, documents) = fixture.add("https://git.example/a").await;
    fixture.report(&scope, course(&documents).swap_remove(0)).await;
    fixture.reaches(scope.run, "cloning").await;
    let (user, token) = fixture.user("viewer").await;
    let path = format!("/api/v1/runs/{}/events", scope.run);
    let open = async || fixture.http.get(format!("{}{path}", fixture.base)).bearer_auth(&token).send().await.unwrap();
    let (mut one, other) = (Reader::of(open().await), Reader::of(open().await));
    assert_eq!(one.next().await.unwrap().id, Some(1));
    let (status, problem) = answer(open().await).await;
    assert_eq!((status, problem["code"].as_str()), (429, Some("too_many_streams")), "{problem}");
    let mut somebody_elses = Reader::open(&fixture, &scope.run.to_string(), None).await;
    assert_eq!(somebody_elses.next().await.unwrap().id, Some(1));
    drop(other);
    eventually(DEADLINE, || async { open().await.status() == 200 }).await;

    sqlx::query("DELETE FROM tokens WHERE user_id = $1").bind(user).execute(fixture.database.pool()).await.unwrap();
    assert!(one.rest().await.is_empty(), "it ends with the token, without the end of the run");
    fixture.report(&scope, course(&documents).swap_remove(1)).await;
    assert_eq!(somebody_elses.next().await.unwrap().id, Some(2), "others go on");
    fixture.stop().await;
}
