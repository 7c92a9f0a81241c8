//! From a provider's complaint to what the caller can do about it. Decided by status and code,
//! never by the sentence: its wording can change.

use std::time::Duration;

use super::wire::{WireError, WireFault};
use crate::{LlmError, RetryCause};

const MAX_CODE_BYTES: usize = 64;
const MAX_DETAIL_CHARS: usize = 400;

/// Codes of a 429 that no waiting cures.
const SPEND_LIMITS: [&str; 2] = ["enforced_spend_limit_reached", "contract_spend_limit_reached"];
const ON_HOLD: &str = "organization_on_hold";

/// The class of an HTTP answer that is no success.
pub(super) fn of_status(status: u16, body: &[u8], after: Option<Duration>) -> LlmError {
    let fault: WireFault = serde_json::from_slice(body).unwrap_or_default();
    let error = fault.error;
    let retry = |cause| LlmError::Retry { after, cause };
    let told = Told::new(&error, status);
    match status {
        401 => LlmError::Auth,
        402..=404 => told.stop_run(),
        400 if told.is(ON_HOLD) => told.stop_run(),
        413 => LlmError::Repack,
        429 if SPEND_LIMITS.iter().any(|code| told.is(code)) => told.stop_run(),
        429 => retry(RetryCause::RateLimited),
        408 | 504 => retry(RetryCause::Timeout),
        529 => retry(RetryCause::Overloaded),
        409 | 500.. => retry(RetryCause::Server),
        _ => told.reject(),
    }
}

/// The class of an error that arrives inside an answer, after its HTTP 200.
pub(super) fn of_event(error: &WireError) -> LlmError {
    let told = Told::new(error, 200);
    if told.is(ON_HOLD) || SPEND_LIMITS.iter().any(|code| told.is(code)) {
        return told.stop_run();
    }
    match error.kind.as_deref() {
        Some("authentication_error") => LlmError::Auth,
        Some("billing_error" | "permission_error" | "not_found_error") => told.stop_run(),
        Some("invalid_request_error") => told.reject(),
        Some("request_too_large") => LlmError::Repack,
        Some("rate_limit_error") => LlmError::retry(RetryCause::RateLimited),
        Some("overloaded_error") => LlmError::retry(RetryCause::Overloaded),
        _ => LlmError::retry(RetryCause::Interrupted),
    }
}

/// What the provider said, made safe.
struct Told {
    kind: String,
    code: Option<String>,
    detail: String,
}

impl Told {
    fn new(error: &WireError, status: u16) -> Self {
        let code = error.details.as_ref().and_then(|details| details.error_code.as_deref());
        Self {
            kind: error.kind.as_deref().and_then(safe_code).unwrap_or(format!("http_{status}")),
            code: code.and_then(safe_code),
            detail: safe_detail(error.message.as_deref().unwrap_or_default()),
        }
    }

    fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code) || self.kind == code
    }

    fn stop_run(self) -> LlmError {
        LlmError::StopRun { code: self.code.unwrap_or(self.kind), detail: self.detail }
    }

    fn reject(self) -> LlmError {
        LlmError::Reject { code: self.code.unwrap_or(self.kind), detail: self.detail }
    }
}

/// The code, if it looks like one; it goes into logs and rows.
pub(super) fn safe_code(code: &str) -> Option<String> {
    let is_safe = (1..=MAX_CODE_BYTES).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_safe.then(|| code.to_owned())
}

fn safe_detail(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(MAX_DETAIL_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(kind: &str, code: Option<&str>) -> Vec<u8> {
        let code = code.map_or("null".to_owned(), |code| format!("{{\"error_code\":\"{code}\"}}"));
        format!(
            "{{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"m\",\
             \"details\":{code}}},\"request_id\":\"r\"}}"
        )
        .into_bytes()
    }

    fn stop(code: &str) -> LlmError {
        LlmError::StopRun { code: code.into(), detail: "m".into() }
    }

    fn reject(code: &str) -> LlmError {
        LlmError::Reject { code: code.into(), detail: "m".into() }
    }

    #[test]
    fn status_and_code_decide() {
        let after = Some(Duration::from_secs(3));
        let retry = |cause| LlmError::Retry { after, cause };
        let cases: Vec<(u16, &str, Option<&str>, LlmError)> = vec![
            (400, "invalid_request_error", None, reject("invalid_request_error")),
            (400, "invalid_request_error", Some(ON_HOLD), stop(ON_HOLD)),
            (400, ON_HOLD, None, stop(ON_HOLD)),
            (401, "authentication_error", None, LlmError::Auth),
            (402, "billing_error", None, stop("billing_error")),
            (403, "permission_error", None, stop("permission_error")),
            (404, "not_found_error", None, stop("not_found_error")),
            (408, "timeout_error", None, retry(RetryCause::Timeout)),
            (409, "conflict_error", None, retry(RetryCause::Server)),
            (413, "request_too_large", None, LlmError::Repack),
            (418, "teapot", None, reject("teapot")),
            (429, "rate_limit_error", None, retry(RetryCause::RateLimited)),
            (429, "rate_limit_error", Some(SPEND_LIMITS[0]), stop(SPEND_LIMITS[0])),
            (429, "rate_limit_error", Some(SPEND_LIMITS[1]), stop(SPEND_LIMITS[1])),
            (500, "api_error", None, retry(RetryCause::Server)),
            (504, "timeout_error", None, retry(RetryCause::Timeout)),
            (529, "overloaded_error", None, retry(RetryCause::Overloaded)),
        ];
        for (status, kind, code, expected) in cases {
            assert_eq!(of_status(status, &body(kind, code), after), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn bodies_that_are_no_json_still_have_a_class() {
        let server = LlmError::retry(RetryCause::Server);
        assert_eq!(of_status(502, b"<html>bad gateway</html>", None), server);
        let LlmError::Reject { code, detail } = of_status(422, b"", None) else {
            panic!("422 is a rejection");
        };
        assert_eq!((code.as_str(), detail.as_str()), ("http_422", ""));
    }

    #[test]
    fn what_a_provider_says_is_cut_to_a_safe_shape() {
        let hostile = format!("{{\"error\":{{\"type\":\"a b\\n\",\"message\":\"\\u001b[31m{}\"}}}}", "x".repeat(9_000));
        let LlmError::Reject { code, detail } = of_status(400, hostile.as_bytes(), None) else {
            panic!("400 is a rejection");
        };
        assert_eq!(code, "http_400");
        assert!(detail.starts_with("[31mx"));
        assert_eq!(detail.chars().count(), MAX_DETAIL_CHARS);
    }

    #[test]
    fn errors_inside_an_answer_have_the_same_classes() {
        let cases: Vec<(&str, LlmError)> = vec![
            ("overloaded_error", LlmError::retry(RetryCause::Overloaded)),
            ("rate_limit_error", LlmError::retry(RetryCause::RateLimited)),
            ("api_error", LlmError::retry(RetryCause::Interrupted)),
            ("authentication_error", LlmError::Auth),
            ("billing_error", stop("billing_error")),
            ("invalid_request_error", reject("invalid_request_error")),
        ];
        for (kind, expected) in cases {
            let fault: WireFault = serde_json::from_slice(&body(kind, None)).expect("valid");
            assert_eq!(of_event(&fault.error), expected, "{kind}");
        }
    }
}
