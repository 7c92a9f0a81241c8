//! What passes the gate, what does not, and what is on record.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caffeine_llm::{
    Block, LlmClient, LlmError, LlmEvent, LlmRequest, LlmStream, RetryCause, Role, StopReason, Turn, collect,
};
use caffeine_sendgate::{EgressPolicy, GateError, GatedRequest, Purpose, Redaction, SendGate, SourceRef, request_hash};
use futures::executor::block_on;

/// A client that keeps what it was asked.
#[derive(Default)]
struct Recorder {
    asked: Mutex<Vec<LlmRequest>>,
    fails: bool,
}

impl Recorder {
    fn asked(&self) -> Vec<LlmRequest> {
        self.asked.lock().expect("no test panics while holding it").clone()
    }
}

#[async_trait]
impl LlmClient for Recorder {
    async fn stream(&self, request: LlmRequest) -> Result<LlmStream, LlmError> {
        self.asked.lock().expect("no test panics while holding it").push(request);
        if self.fails {
            return Err(LlmError::Retry { after: None, cause: RetryCause::Overloaded });
        }
        let events = vec![Ok(LlmEvent::Delta("answer".into())), Ok(LlmEvent::Stop(StopReason::EndTurn))];
        Ok(LlmStream::from_events(events))
    }
}

fn gate(policy: EgressPolicy) -> (SendGate, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let client: Arc<dyn LlmClient> = recorder.clone();
    (SendGate::new(policy, Some(client)), recorder)
}

fn source(path: &str) -> SourceRef {
    SourceRef { path: path.into(), start_line: 1, end_line: 9, oid: "ab12".into() }
}

fn token() -> String {
    format!("glpat-{}", "x7".repeat(10))
}

fn question(text: &str) -> GatedRequest {
    let document = Block::Document { title: "S1 src/a.rs 1-9".into(), text: text.into() };
    let blocks = vec![document, Block::Text("explain".into())];
    GatedRequest {
        purpose: Purpose::Template,
        sources: vec![source("src/a.rs")],
        request: LlmRequest {
            model: "m".into(),
            max_tokens: 10,
            system: vec!["rules".into()],
            messages: vec![Turn { role: Role::User, blocks }],
            effort: None,
        },
    }
}

#[test]
fn a_clean_request_passes_unchanged_and_is_recorded() {
    let (gate, recorder) = gate(EgressPolicy::Approved);
    let gated = question("fn a() {}\n");
    let (stream, record) = block_on(gate.send(gated.clone())).expect("passes");
    assert_eq!(block_on(collect(stream)).expect("answers").text, "answer");
    assert_eq!(recorder.asked(), std::slice::from_ref(&gated.request));
    assert_eq!(record.request_hash, request_hash(&gated.request));
    assert_eq!((record.purpose, record.model.as_str()), (Purpose::Template, "m"));
    assert_eq!(record.sources, [source("src/a.rs")]);
    assert_eq!(record.bytes, "rulesS1 src/a.rs 1-9fn a() {}\nexplain".len() as u64);
    assert_eq!((record.redactions, record.dropped_characters), (vec![], 0));
}

#[test]
fn secrets_and_hidden_characters_stay_inside() {
    let (gate, recorder) = gate(EgressPolicy::Approved);
    let secret = token();
    let (head, tail) = secret.split_at(9);
    let mut gated = question(&format!("a = {secret}\nb = {head}\u{200b}{tail}\n"));
    gated.request.system.push(format!("use {secret}"));
    gated.request.messages.push(Turn::assistant("ok"));
    gated.request.messages.push(Turn::user(format!("and {secret}?")));
    if let Block::Document { title, .. } = &mut gated.request.messages[0].blocks[0] {
        title.push_str(&secret);
    }
    let (_, record) = block_on(gate.send(gated)).expect("passes");
    let asked = recorder.asked();
    let sent = format!("{asked:?}");
    assert!(!sent.contains(&secret[6..]), "{sent}");
    assert_eq!(sent.matches("<redacted:gitlab-token:00000001>").count(), 5, "{sent}");
    assert_eq!(record.redactions, [Redaction { rule: "gitlab-token".into(), count: 5 }]);
    assert_eq!(record.dropped_characters, 1);
    assert_eq!(record.request_hash, request_hash(&asked[0]), "the hash is of what was sent");
}

#[test]
fn nothing_leaves_that_must_not() {
    let approved = EgressPolicy::Approved;
    let denied = GatedRequest { sources: vec![source("a.rs"), source("b/.env")], ..question("x") };
    let unsourced = GatedRequest { sources: vec![], ..question("x") };
    let cases = [
        (EgressPolicy::None, question("x"), GateError::Forbidden),
        (approved, denied, GateError::DeniedPath { path: "b/.env".into() }),
        (approved, unsourced, GateError::Unsourced),
    ];
    for (policy, gated, expected) in cases {
        let (gate, recorder) = gate(policy);
        assert_eq!(gate.is_open(), policy == approved);
        let refused = block_on(gate.send(gated)).map(|(_, record)| record);
        assert_eq!(refused, Err(expected));
        assert_eq!(recorder.asked(), []);
    }
    let gate = SendGate::new(approved, None);
    assert!(!gate.is_open());
    assert_eq!(gate.prepare(question("x")).err(), Some(GateError::NoClient));
}

#[test]
fn a_closed_gate_does_not_send_what_an_open_one_prepared() {
    let (open, _) = gate(EgressPolicy::Approved);
    let (closed, recorder) = gate(EgressPolicy::None);
    let prepared = open.prepare(question("x")).expect("passes");
    let refused = block_on(closed.dispatch(prepared)).map(|_| ());
    assert_eq!(refused, Err(GateError::Forbidden));
    assert_eq!(recorder.asked(), []);
}

#[test]
fn the_client_s_failure_is_passed_on() {
    let recorder = Arc::new(Recorder { fails: true, ..Recorder::default() });
    let gate = SendGate::new(EgressPolicy::Approved, Some(recorder));
    let failed = block_on(gate.send(question("x"))).map(|_| ());
    let error = LlmError::Retry { after: None, cause: RetryCause::Overloaded };
    assert_eq!(failed, Err(GateError::Model(error)));
}
