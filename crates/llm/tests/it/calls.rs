//! What a call sends and what a regular answer gives.

use caffeine_llm::anthropic::{API_VERSION, AnthropicClient, AnthropicConfig, ConfigError};
use caffeine_llm::{Completion, LlmClient, LlmEvent, StopReason, Usage, collect};
use futures::StreamExt;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use crate::server::{END, HEL, KEY, LO, PING, Reply, START, STOP, Server, hello, question};

const USAGE: Usage =
    Usage { input_tokens: 12, cache_creation_input_tokens: 3, cache_read_input_tokens: 4, output_tokens: 7 };

#[tokio::test]
async fn an_answer_arrives_piece_by_piece() {
    let server = Server::start([hello().header("request-id", "req_1")]).await;
    let stream = server.client().stream(question()).await.expect("answers");
    assert_eq!(stream.request_id(), Some("req_1"));
    let events: Vec<_> = stream.map(|event| event.expect("no error")).collect().await;
    let expected = [
        LlmEvent::Usage(Usage { output_tokens: 1, ..USAGE }),
        LlmEvent::Delta("Hel".into()),
        LlmEvent::Delta("lo".into()),
        LlmEvent::Usage(USAGE),
        LlmEvent::Stop(StopReason::EndTurn),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn the_request_is_what_the_api_expects() {
    let server = Server::start([hello()]).await;
    let stream = server.client().stream(question()).await.expect("answers");
    collect(stream).await.expect("regular end");
    let calls = server.calls();
    let [call] = &calls[..] else { panic!("{} calls", calls.len()) };
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/v1/messages"));
    assert_eq!(call.headers["anthropic-version"], API_VERSION);
    assert_eq!(call.headers["x-api-key"], KEY);
    assert_eq!(call.headers["content-type"], "application/json");
    assert!(!call.headers.contains_key("accept-encoding"));
    let body = json!({
        "model": "claude-test",
        "max_tokens": 100,
        "stream": true,
        "system": [{ "type": "text", "text": "rules" }],
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "hello" }] }],
    });
    assert_eq!(call.body, body);
}

#[tokio::test]
async fn events_that_are_unknown_or_hold_no_text_are_skipped() {
    let thinking = (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
    );
    let events = [START, ("from_the_future", "no json"), thinking, HEL, ("", "nameless"), LO, END, STOP, HEL];
    let server = Server::start([Reply::events(&events)]).await;
    let stream = server.client().stream(question()).await.expect("answers");
    let expected = Completion { text: "Hello".into(), usage: USAGE };
    assert_eq!(collect(stream).await, Ok(expected));
}

#[tokio::test]
async fn events_may_be_cut_anywhere() {
    let text: String = [START, PING, HEL, LO, END, STOP]
        .iter()
        .map(|(name, data)| format!("event: {name}\r\ndata: {data}\r\n\r\n"))
        .collect();
    let mut reply = Reply::answer();
    for piece in text.as_bytes().chunks(7) {
        reply = reply.then(std::str::from_utf8(piece).expect("script is ASCII"));
    }
    let server = Server::start([reply]).await;
    let stream = server.client().stream(question()).await.expect("answers");
    assert_eq!(collect(stream).await.expect("regular end").text, "Hello");
}

#[tokio::test]
async fn names_of_events_may_stand_inside_them() {
    let mut reply = Reply::answer();
    for (_, data) in [START, PING, HEL, LO, END, STOP] {
        reply = reply.then(&format!("data: {data}\n\n"));
    }
    let server = Server::start([reply.then("data: [DONE]\n\n")]).await;
    let stream = server.client().stream(question()).await.expect("answers");
    assert_eq!(collect(stream).await, Ok(Completion { text: "Hello".into(), usage: USAGE }));
}

#[test]
fn the_key_is_never_shown() {
    let base = Url::parse("http://127.0.0.1:1/").expect("valid address");
    let config = AnthropicConfig::new(base, Some(SecretString::from(KEY)));
    assert!(!format!("{config:?}").contains(KEY));
    let client = AnthropicClient::new(config.clone()).expect("settings work");
    assert!(!format!("{client:?}").contains(KEY));

    let broken = AnthropicConfig { api_key: Some(SecretString::from("a\nb")), ..config };
    let error = AnthropicClient::new(broken).expect_err("no header holds a newline");
    assert!(matches!(error, ConfigError::Header(_)), "{error}");
}
