//! Answers that begin well and end badly, or slowly.

use std::time::Duration;

use caffeine_llm::anthropic::AnthropicConfig;
use caffeine_llm::{FailedCall, LlmClient, LlmError, RetryCause, collect};

use crate::server::{END, HEL, LO, PING, Reply, START, STOP, Server, hello, question};

/// The failure of a call with this answer.
async fn failure(reply: Reply) -> FailedCall {
    let server = Server::start([reply, hello()]).await;
    let stream = server.client().stream(question()).await.expect("the answer begins");
    let failed = collect(stream).await.expect_err("and does not end well");
    assert_eq!(server.calls().len(), 1, "only the caller starts again what was partly paid");
    failed
}

fn retry(cause: RetryCause) -> LlmError {
    LlmError::Retry { after: None, cause }
}

#[tokio::test]
async fn an_error_after_200_keeps_what_came_before() {
    let error = ("error", r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    let failed = failure(Reply::events(&[START, HEL, error, LO, END, STOP])).await;
    assert_eq!(failed.error, retry(RetryCause::Overloaded));
    assert_eq!((failed.text.as_str(), failed.usage.input_tokens), ("Hel", 12));
}

#[tokio::test]
async fn a_cut_answer_is_never_taken_for_a_short_one() {
    let cuts = [
        Reply::events(&[START, HEL]).wait(Duration::from_millis(50)).cut(),
        Reply::events(&[START, HEL]),
        Reply::events(&[START, HEL, END]),
        Reply::events(&[START, HEL, STOP]),
        Reply::events(&[START, HEL, ("message_delta", "{broken")]),
    ];
    for reply in cuts {
        let failed = failure(reply).await;
        assert_eq!((failed.error, failed.text.as_str()), (retry(RetryCause::Interrupted), "Hel"));
    }
}

#[tokio::test]
async fn stop_reasons_other_than_the_end_are_named() {
    let end = |reason: &str, details: &str| {
        format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_details":{details}}},"usage":{{"output_tokens":100}}}}"#
        )
    };
    let refused = |category: Option<&str>| LlmError::Refused { category: category.map(Into::into) };
    let other = |code: &str| LlmError::Reject { code: code.into(), detail: String::new() };
    let cases = [
        (end("max_tokens", "null"), LlmError::Truncated),
        (end("model_context_window_exceeded", "null"), LlmError::Repack),
        (end("refusal", r#"{"type":"refusal","category":"cyber"}"#), refused(Some("cyber"))),
        (end("refusal", "null"), refused(None)),
        (end("tool_use", "null"), other("tool_use")),
        (end("no code at all", "null"), other("unknown")),
    ];
    for (data, expected) in cases {
        let failed = failure(Reply::events(&[START, HEL, ("message_delta", &data), STOP])).await;
        assert_eq!(failed.error, expected);
        assert_eq!((failed.text.as_str(), failed.usage.output_tokens), ("Hel", 100));
    }
}

#[tokio::test]
async fn pings_keep_a_thinking_model_s_answer_alive() {
    let ping = format!("event: {}\ndata: {}\n\n", PING.0, PING.1);
    let mut reply = Reply::events(&[START]);
    for _ in 0..8 {
        reply = reply.wait(Duration::from_millis(200)).then(&ping);
    }
    for (name, data) in [HEL, LO, END, STOP] {
        reply = reply.then(&format!("event: {name}\ndata: {data}\n\n"));
    }
    let server = Server::start([reply]).await;
    let config = AnthropicConfig { idle_timeout: Duration::from_millis(1_200), ..server.config() };
    let stream = server.client_with(config).stream(question()).await.expect("the answer begins");
    assert_eq!(collect(stream).await.expect("regular end").text, "Hello");
}

#[tokio::test]
async fn silence_and_endless_answers_run_into_their_limits() {
    let short = Duration::from_millis(100);
    let silent = Server::start([Reply::events(&[START, HEL]).hang()]).await;
    let idle = AnthropicConfig { idle_timeout: short, ..silent.config() };
    let endless = Server::start([Reply::events(&[START, HEL]).hang()]).await;
    let deadline = AnthropicConfig { deadline: Duration::from_secs(1), ..endless.config() };
    for (server, config) in [(silent, idle), (endless, deadline)] {
        let stream = server.client_with(config).stream(question()).await.expect("begins");
        let failed = collect(stream).await.expect_err("never ends");
        assert_eq!((failed.error, failed.text.as_str()), (retry(RetryCause::Timeout), "Hel"));
    }
}

#[tokio::test]
async fn an_event_without_end_is_refused() {
    let piece = "x".repeat(64 << 10);
    let mut reply = Reply::events(&[START]).then("data: ");
    for _ in 0..20 {
        reply = reply.then(&piece);
    }
    let failed = failure(reply.hang()).await;
    let expected = LlmError::Reject { code: "event_too_large".into(), detail: String::new() };
    assert_eq!(failed.error, expected);
}
