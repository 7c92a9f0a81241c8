//! From a stream to a whole answer.

use futures::StreamExt;

use crate::{LlmError, LlmEvent, LlmStream, RetryCause, StopReason, Usage};

/// Longest answer that is collected, in bytes: many times what 128,000 tokens can be.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Everything the model wrote.
    pub text: String,
    /// What it cost.
    pub usage: Usage,
}

/// A call without a usable answer, with what it brought and cost all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("collect the answer")]
pub struct FailedCall {
    /// What went wrong.
    #[source]
    pub error: LlmError,
    /// What had arrived by then.
    pub text: String,
    /// What is known of the cost; a lower bound.
    pub usage: Usage,
}

/// Reads the stream to its end.
///
/// # Errors
/// As [`collect_with`].
pub async fn collect(stream: LlmStream) -> Result<Completion, FailedCall> {
    collect_with(stream, |_| {}).await
}

/// Reads the stream to its end and shows each piece of text as it arrives.
///
/// # Errors
/// The stream's own, and those that stop reasons other than a regular end stand for: a cut-off
/// answer is [`LlmError::Truncated`], a full window [`LlmError::Repack`], a refusal
/// [`LlmError::Refused`].
pub async fn collect_with(mut stream: LlmStream, mut on_text: impl FnMut(&str)) -> Result<Completion, FailedCall> {
    let mut text = String::new();
    let mut usage = Usage::default();
    let error = loop {
        match stream.next().await {
            Some(Ok(LlmEvent::Delta(delta))) => {
                if text.len() + delta.len() > MAX_ANSWER_BYTES {
                    break LlmError::reject("answer_too_long");
                }
                on_text(&delta);
                text.push_str(&delta);
            }
            Some(Ok(LlmEvent::Usage(so_far))) => usage = so_far,
            Some(Ok(LlmEvent::Stop(reason))) => match failure(reason) {
                None => return Ok(Completion { text, usage }),
                Some(error) => break error,
            },
            Some(Err(error)) => break error,
            None => break LlmError::retry(RetryCause::Interrupted),
        }
    };
    Err(FailedCall { error, text, usage })
}

/// The failure a stop reason stands for; none for a regular end.
fn failure(reason: StopReason) -> Option<LlmError> {
    match reason {
        StopReason::EndTurn => None,
        StopReason::MaxTokens => Some(LlmError::Truncated),
        StopReason::ContextWindow => Some(LlmError::Repack),
        StopReason::Refusal { category } => Some(LlmError::Refused { category }),
        StopReason::Other(reason) => Some(LlmError::reject(&reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(events: Vec<Result<LlmEvent, LlmError>>) -> Result<Completion, FailedCall> {
        futures::executor::block_on(collect(LlmStream::from_events(events)))
    }

    #[test]
    fn a_regular_end_gives_all_text_and_the_last_usage() {
        let usage = |output_tokens| Usage { input_tokens: 5, output_tokens, ..Usage::default() };
        let completion = collected(vec![
            Ok(LlmEvent::Usage(usage(1))),
            Ok(LlmEvent::Delta("ab".into())),
            Ok(LlmEvent::Delta("c".into())),
            Ok(LlmEvent::Usage(usage(7))),
            Ok(LlmEvent::Stop(StopReason::EndTurn)),
        ]);
        assert_eq!(completion, Ok(Completion { text: "abc".into(), usage: usage(7) }));
    }

    #[test]
    fn every_other_end_is_an_error_that_keeps_the_text() {
        let interrupted = LlmError::retry(RetryCause::Interrupted);
        let cases: Vec<(Option<Result<LlmEvent, LlmError>>, LlmError)> = vec![
            (None, interrupted.clone()),
            (Some(Err(interrupted.clone())), interrupted),
            (Some(Ok(LlmEvent::Stop(StopReason::MaxTokens))), LlmError::Truncated),
            (Some(Ok(LlmEvent::Stop(StopReason::ContextWindow))), LlmError::Repack),
            (
                Some(Ok(LlmEvent::Stop(StopReason::Refusal { category: Some("bio".into()) }))),
                LlmError::Refused { category: Some("bio".into()) },
            ),
            (Some(Ok(LlmEvent::Stop(StopReason::Other("tool_use".into())))), LlmError::reject("tool_use")),
            (Some(Ok(LlmEvent::Delta("x".repeat(MAX_ANSWER_BYTES)))), LlmError::reject("answer_too_long")),
        ];
        for (last, expected) in cases {
            let mut events = vec![Ok(LlmEvent::Delta("partial".into()))];
            events.extend(last);
            let failed = collected(events).expect_err("not a regular end");
            assert_eq!((failed.error, failed.text.as_str()), (expected, "partial"));
        }
    }
}
