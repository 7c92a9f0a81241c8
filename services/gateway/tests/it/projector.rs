//! The projector: once per fact, in any order.

use caffeine_contract::{Scope, v1};
use caffeine_model::{Generation, RunId};
use caffeine_testkit::eventually;
use serde_json::{Value, json};
use uuid::Uuid;
use v1::run_transition::Transition;

use crate::fixture::{DEADLINE, Fixture, course};

/// What readers see of a run, without what differs between runs.
async fn outcome(fixture: &Fixture, run: RunId, documents: &[Uuid]) -> Value {
    let mut events: Vec<(String, Value)> =
        sqlx::query_as("SELECT transition, payload FROM run_events WHERE run_id = $1")
            .bind(run.as_uuid())
            .fetch_all(fixture.database.pool())
            .await
            .unwrap();
    events.sort_by(|a, b| a.0.cmp(&b.0));
    let (_, mut view) = fixture.get(&format!("/api/v1/runs/{run}")).await;
    let view = view.as_object_mut().unwrap();
    for differs in ["id", "repository_id", "created_at", "ended_at", "seconds"] {
        view.remove(differs);
    }
    let mut text = json!([events, view]).to_string();
    for (number, document) in documents.iter().enumerate() {
        text = text.replace(&document.to_string(), &format!("document {number}"));
    }
    serde_json::from_str(&text).unwrap()
}

/// Every transition twice (the second as a repeat of a later generation), shuffled.
fn twice_and_shuffled(scope: &Scope, transitions: Vec<Transition>, seed: u64) -> Vec<(Scope, Transition)> {
    let again = Scope { generation: Generation(1), ..scope.clone() };
    let mut all: Vec<(Scope, Transition)> = transitions
        .into_iter()
        .flat_map(|transition| [(scope.clone(), transition.clone()), (again.clone(), transition)])
        .collect();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for last in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.swap(last, usize::try_from(state % (last as u64 + 1)).unwrap());
    }
    all
}

async fn apply(fixture: &Fixture, url: &str, seed: u64, change: impl Fn(&mut Vec<Transition>)) -> Value {
    let (scope, documents) = fixture.add(url).await;
    let mut transitions = course(&documents);
    change(&mut transitions);
    let expected = i64::try_from(transitions.len()).unwrap();
    for (scope, transition) in twice_and_shuffled(&scope, transitions, seed) {
        fixture.report(&scope, transition).await;
    }
    eventually(DEADLINE, || async {
        let state = fixture.nats.jetstream().get_stream(format!("{}_STATE", fixture.nats.prefix())).await.unwrap();
        state.cached_info().state.messages == 0
    })
    .await;
    let sequences: Vec<i64> = sqlx::query_scalar("SELECT sequence FROM run_events WHERE run_id = $1 ORDER BY sequence")
        .bind(scope.run.as_uuid())
        .fetch_all(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(sequences, (1..=expected).collect::<Vec<_>>(), "each fact once, without a gap");
    outcome(fixture, scope.run, &documents).await
}

#[tokio::test]
async fn twice_and_shuffled_gives_the_same_rows() {
    let fixture = Fixture::start().await;
    let first = apply(&fixture, "https://git.example/0", 0, |_| {}).await;
    assert_eq!(first[1]["state"], "completed", "{first}");
    assert_eq!(first[1]["commit"], "07".repeat(20));
    assert_eq!(first[1]["stages"]["clone"]["sent"], 3);
    assert_eq!(first[1]["stages"]["analyse"]["symbols"], 12);
    assert_eq!(first[1]["stages"]["index"]["chunks"], 20);
    assert_eq!(first[1]["stages"]["write"]["pages"], 3);
    assert_eq!(first[1]["documents"][0]["state"], "completed");
    for seed in 1..8 {
        let again = apply(&fixture, &format!("https://git.example/{seed}"), seed, |_| {}).await;
        assert_eq!(again, first, "seed {seed}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn something_missing_is_said() {
    let fixture = Fixture::start().await;
    type Change = fn(&mut Vec<Transition>);
    let cases: [(&str, Change); 4] = [
        ("a failed batch of files", |all| {
            all.iter_mut().for_each(|transition| {
                if let Transition::Analysed(analysed) = transition {
                    analysed.failed_batches = 1;
                }
            });
        }),
        ("a failed batch of chunks", |all| {
            all.iter_mut().for_each(|transition| {
                if let Transition::Indexed(indexed) = transition {
                    indexed.failed_batches = 1;
                }
            });
        }),
        ("a failed page", |all| {
            all.iter_mut().for_each(|transition| {
                if let Transition::DocumentCompleted(done) = transition {
                    done.failed_pages = 1;
                }
            });
        }),
        ("a failed document", |all| {
            all.iter_mut().for_each(|transition| {
                if let Transition::DocumentCompleted(done) = transition {
                    done.failure = Some(v1::Failure { code: "c".to_owned(), reason: "No page.".to_owned() });
                }
            });
        }),
    ];
    for (seed, (name, change)) in (1..).zip(cases) {
        let seen = apply(&fixture, &format!("https://git.example/{seed}"), seed, change).await;
        assert_eq!(seen[1]["state"], "completed_with_errors", "{name}: {seen}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_failed_stage_ends_the_run_with_its_sentence() {
    let fixture = Fixture::start().await;
    for (seed, stage) in (1..).zip(["clone", "analyse", "index"]) {
        let seen = apply(&fixture, &format!("https://git.example/{stage}"), seed, |all| {
            all.truncate(2);
            all.push(Transition::Failed(v1::StageFailed {
                stage: stage.to_owned(),
                failure: Some(v1::Failure {
                    code: "not_found".to_owned(),
                    reason: "There is no repository at this address.".to_owned(),
                }),
            }));
        })
        .await;
        assert_eq!(seen[1]["state"], "failed", "{stage}: {seen}");
        assert_eq!(seen[1]["failure"]["code"], "not_found");
        assert_eq!(seen[1]["failure"]["reason"], "There is no repository at this address.");
    }
    let (_, listed) = fixture.get("/api/repos").await;
    assert_eq!(listed[0]["status"], "failed");
    assert_eq!(listed[0]["error"], "There is no repository at this address.");
    fixture.stop().await;
}

#[tokio::test]
async fn a_run_without_documents_ends_when_it_is_indexed() {
    let fixture = Fixture::start().await;
    let body = json!({ "url": "https://git.example/a", "documents": [] });
    let (status, added) = fixture.post("/api/v1/repositories", &body).await;
    assert_eq!(status, 201);
    let scope =
        fixture.scope(crate::fixture::id(&added, "/repository/id"), crate::fixture::id(&added, "/run/id")).await;
    let mut course = course(&[]);
    let indexed = course.pop().unwrap();
    for transition in course {
        fixture.report(&scope, transition).await;
    }
    fixture.reaches(scope.run, "analysed").await;
    fixture.report(&scope, indexed).await;
    fixture.reaches(scope.run, "completed").await;
    fixture.stop().await;
}

#[tokio::test]
async fn facts_of_runs_that_are_gone_are_dropped() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let gone = Scope { run: RunId::generate(), ..scope.clone() };
    fixture.report(&gone, Transition::CloneStarted(v1::CloneStarted {})).await;
    fixture.report(&scope, Transition::CloneStarted(v1::CloneStarted {})).await;
    fixture.reaches(scope.run, "cloning").await;
    eventually(DEADLINE, || async { fixture.stored("STATE").await == 0 }).await;
    assert_eq!(fixture.stored("DEAD").await, 0);
    fixture.stop().await;
}

#[tokio::test]
async fn a_transition_that_says_nothing_is_a_dead_letter() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    fixture.report(&scope, Transition::Planned(v1::Planned::default())).await;
    eventually(DEADLINE, || async { fixture.stored("DEAD").await == 1 }).await;
    assert_eq!(fixture.get(&format!("/api/v1/runs/{}", scope.run)).await.1["state"], "pending");
    fixture.stop().await;
}

#[tokio::test]
async fn the_end_waits_for_every_fact_of_a_good_run() {
    let fixture = Fixture::start().await;
    for (number, held_back) in [0, 2, 5].into_iter().enumerate() {
        let (scope, documents) = fixture.add(&format!("https://git.example/{number}")).await;
        let mut all = course(&documents);
        let late = all.remove(held_back);
        let others = i64::try_from(all.len()).unwrap();
        for transition in all {
            fixture.report(&scope, transition).await;
        }
        let (path, count) = (format!("/api/v1/runs/{}", scope.run), "SELECT last_sequence FROM runs WHERE run_id = $1");
        eventually(DEADLINE, || async {
            let last: i64 =
                sqlx::query_scalar(count).bind(scope.run.as_uuid()).fetch_one(fixture.database.pool()).await.unwrap();
            last == others
        })
        .await;
        assert_eq!(fixture.get(&path).await.1["state"], "indexed", "without fact {held_back}");
        fixture.report(&scope, late).await;
        fixture.reaches(scope.run, "completed").await;
    }
    fixture.stop().await;
}

/// A request to ask for the run again.
fn asked_again(generation: u32, follow_ended: bool) -> Transition {
    Transition::AskedAgain(v1::AskedAgain { generation, reason: "Lost.".to_owned(), follow_ended })
}

#[tokio::test]
async fn a_lost_run_is_asked_for_again_once_per_generation() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    eventually(DEADLINE, || async { (fixture.stored("CLONE").await, fixture.stored("PLANS").await) == (1, 1) }).await;
    for stream in ["CLONE", "PLANS"] {
        let name = format!("{}_{stream}", fixture.nats.prefix());
        fixture.nats.jetstream().get_stream(name).await.unwrap().purge().await.unwrap();
    }
    for generation in [1, 1, 2] {
        let again = Scope { generation: Generation(generation), ..scope.clone() };
        fixture.report(&again, asked_again(generation, false)).await;
    }
    eventually(DEADLINE, || async { (fixture.stored("CLONE").await, fixture.stored("PLANS").await) == (2, 2) }).await;
    let (_, view) = fixture.get(&format!("/api/v1/runs/{}", scope.run)).await;
    assert_eq!(view["state"], "pending", "it is no further than it was");
    fixture.stop().await;
}

#[tokio::test]
async fn an_ended_run_is_followed_only_if_that_was_asked_for() {
    let fixture = Fixture::start().await;
    let (scope, documents) = fixture.add("https://git.example/a").await;
    for transition in course(&documents) {
        fixture.report(&scope, transition).await;
    }
    fixture.reaches(scope.run, "completed").await;
    let runs = format!("/api/v1/repositories/{}/runs", scope.repository);
    fixture.report(&scope, asked_again(1, false)).await;
    eventually(DEADLINE, || async { fixture.stored("STATE").await == 0 }).await;
    assert_eq!(fixture.get(&runs).await.1["items"].as_array().unwrap().len(), 1);
    fixture.report(&scope, asked_again(2, true)).await;
    eventually(DEADLINE, || async { fixture.get(&runs).await.1["items"].as_array().unwrap().len() == 2 }).await;
    let (_, listed) = fixture.get(&runs).await;
    assert_eq!(listed["items"][0]["state"], "pending");
    assert_eq!(
        listed["items"][0]["documents"].as_array().map(Vec::len),
        listed["items"][1]["documents"].as_array().map(Vec::len)
    );
    fixture.stop().await;
}

#[tokio::test]
async fn a_run_of_a_version_that_is_gone_makes_room_for_one_of_the_present_version() {
    let fixture = Fixture::start().await;
    let (scope, documents) = fixture.add("https://git.example/a").await;
    sqlx::query("UPDATE runs SET analyser = 'a0'").execute(fixture.database.pool()).await.unwrap();
    for transition in course(&documents).into_iter().take(2) {
        fixture.report(&scope, transition).await;
    }
    let old = Scope { analyser: "a0".to_owned(), ..scope };
    let runs = format!("/api/v1/repositories/{}/runs", old.repository);
    for generation in [0, 1] {
        let scope = Scope { generation: Generation(generation), ..old.clone() };
        fixture.report(&scope, Transition::VersionGone(v1::VersionGone {})).await;
        fixture.reaches(old.run, "superseded").await;
    }
    let (_, listed) = fixture.get(&runs).await;
    let [next, gone] = listed["items"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&next["state"], &gone["state"]), (&json!("pending"), &json!("superseded")));
    assert_eq!(gone["failure"]["code"], "version_gone");
    assert!(gone["failure"]["reason"].as_str().unwrap().contains("analyser a0"), "{gone}");
    assert_eq!(next["documents"].as_array().map(Vec::len), gone["documents"].as_array().map(Vec::len));
    let analyser: String = sqlx::query_scalar("SELECT analyser FROM runs WHERE state = 'pending'")
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(analyser, caffeine_model::ANALYSER);
    eventually(DEADLINE, || async { fixture.stored("CONTROL").await == 1 }).await;
    fixture.stop().await;
}

#[tokio::test]
async fn a_run_of_the_present_version_that_nobody_works_with_fails() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    fixture.report(&scope, Transition::VersionGone(v1::VersionGone {})).await;
    fixture.reaches(scope.run, "failed").await;
    let (_, listed) = fixture.get(&format!("/api/v1/repositories/{}/runs", scope.repository)).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "a new one would not fare better");
    assert_eq!(listed["items"][0]["failure"]["code"], "version_gone");
    eventually(DEADLINE, || async { fixture.stored("CONTROL").await == 1 }).await;
    fixture.stop().await;
}
