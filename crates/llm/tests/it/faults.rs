//! Calls that fail before an answer begins: what is tried again, and what is not.

use std::time::Duration;

use caffeine_llm::anthropic::AnthropicConfig;
use caffeine_llm::{LlmClient, LlmError, RetryCause, collect};
use tokio::net::TcpListener;
use url::Url;

use crate::server::{Reply, Server, hello, question};

fn retry(cause: RetryCause) -> LlmError {
    LlmError::Retry { after: None, cause }
}

fn overloaded() -> Reply {
    Reply::fault(529, "overloaded_error", None)
}

#[tokio::test]
async fn passing_faults_are_tried_again_with_growing_waits() {
    let script =
        [overloaded(), Reply::fault(500, "api_error", None), Reply::fault(408, "timeout_error", None), hello()];
    let server = Server::start(script).await;
    let stream = server.client().stream(question()).await.expect("the fourth try works");
    assert_eq!(collect(stream).await.expect("regular end").text, "Hello");
    assert_eq!(server.calls().len(), 4);
    assert_eq!(server.waits(), [500, 1_000, 2_000]);
}

#[tokio::test]
async fn a_rate_limit_waits_as_long_as_it_says() {
    let limited = Reply::fault(429, "rate_limit_error", None).header("retry-after", "7");
    let server = Server::start([limited, hello()]).await;
    server.client().stream(question()).await.expect("the second try works");
    assert_eq!(server.waits(), [7_000]);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_left_to_the_caller() {
    let limited = Reply::fault(429, "rate_limit_error", None).header("retry-after", "3600");
    let server = Server::start([limited]).await;
    let error = server.client().stream(question()).await.expect_err("limited");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3_600)));
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn what_no_waiting_cures_is_not_tried_again() {
    let stop = |code: &str| LlmError::StopRun { code: code.into(), detail: "said".into() };
    let spent = "enforced_spend_limit_reached";
    let rejected = LlmError::Reject { code: "invalid_request_error".into(), detail: "said".into() };
    let cases = [
        (Reply::fault(429, "rate_limit_error", Some(spent)), stop(spent)),
        (Reply::fault(400, "invalid_request_error", None), rejected),
        (Reply::fault(401, "authentication_error", None), LlmError::Auth),
        (Reply::fault(404, "not_found_error", None), stop("not_found_error")),
        (Reply::fault(413, "request_too_large", None), LlmError::Repack),
        (overloaded().header("x-should-retry", "false"), retry(RetryCause::Overloaded)),
        (
            Reply::status(200).header("content-type", "text/html").then("<html>"),
            LlmError::Reject { code: "no_event_stream".into(), detail: String::new() },
        ),
        (
            Reply::status(307).header("location", "/elsewhere"),
            LlmError::Reject { code: "http_307".into(), detail: String::new() },
        ),
    ];
    for (reply, expected) in cases {
        let server = Server::start([reply, hello()]).await;
        let error = server.client().stream(question()).await.expect_err("fails");
        assert_eq!(error, expected);
        assert_eq!(server.calls().len(), 1, "{expected:?}");
    }
}

#[tokio::test]
async fn the_provider_s_word_overrides_our_table() {
    let reply = Reply::fault(400, "invalid_request_error", None).header("x-should-retry", "true");
    let server = Server::start([reply, hello()]).await;
    server.client().stream(question()).await.expect("the second try works");
}

#[tokio::test]
async fn tries_are_bounded() {
    let server = Server::start(std::iter::repeat_n(overloaded(), 9)).await;
    let config = AnthropicConfig { max_attempts: 3, ..server.config() };
    let error = server.client_with(config).stream(question()).await.expect_err("never works");
    assert_eq!(error, retry(RetryCause::Overloaded));
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_server_that_is_gone_is_tried_again_and_then_named() {
    let server = Server::start([]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let address = listener.local_addr().expect("listener is bound");
    drop(listener);
    let base_url = Url::parse(&format!("http://{address}/")).expect("valid address");
    let config = AnthropicConfig { base_url, max_attempts: 2, ..server.config() };
    let error = server.client_with(config).stream(question()).await.expect_err("nobody there");
    assert_eq!(error, retry(RetryCause::Connect));
    assert_eq!(server.waits(), [500]);
}

#[tokio::test]
async fn a_server_that_never_answers_runs_into_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let address = listener.local_addr().expect("listener is bound");
    let server = Server::start([]).await;
    let base_url = Url::parse(&format!("http://{address}/")).expect("valid address");
    let config =
        AnthropicConfig { base_url, max_attempts: 1, first_byte_timeout: Duration::from_millis(50), ..server.config() };
    let error = server.client_with(config).stream(question()).await.expect_err("silent");
    assert_eq!(error, retry(RetryCause::Timeout));
}

#[tokio::test]
async fn a_fault_s_body_is_read_within_bounds() {
    let huge = "x".repeat(1 << 20);
    let reply = Reply::status(422).then(&huge).then(&huge).hang();
    let server = Server::start([reply]).await;
    let error = server.client().stream(question()).await.expect_err("fails");
    assert_eq!(error, LlmError::Reject { code: "http_422".into(), detail: String::new() });
}
