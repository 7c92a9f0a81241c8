//! Asks the broker whether a user may do what the contract says it needs, before work depends on it.
//!
//! Every permission is tried by a request that stores, takes and changes nothing: a message for a stream that does not
//! exist, a question that is no JSON, an acknowledgement of no delivery. If the right is there, something answers (the
//! stream that refuses, the interface that cannot read, or the broker that knows of no listener); if it is not, the
//! connection hears of it.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Request, RequestErrorKind, header};
use caffeine_contract::Identity;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use crate::denial::Action;
use crate::{Bus, BusError};

/// A broker that is well answers within milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// Stands for a token that a permission leaves open: the name of nothing.
const NOTHING: &str = "caffeine-probe";
/// No JSON, and no number of messages that a pull could ask for.
const UNREADABLE: &str = "{";
/// How many subjects an error names.
const NAMED: usize = 5;

/// Fails if the broker denies something that the contract gives to `identity`.
///
/// # Errors
/// [`BusError::Denied`] with the subjects, [`BusError::Broker`] if the broker does not answer.
pub async fn check_rights(bus: &Bus, identity: Identity) -> Result<(), BusError> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let mut denials = bus.denials.listen();
    let mut open: BTreeSet<String> =
        bus.subjects.permissions(identity).publish.iter().map(|pattern| concrete(pattern)).collect();
    let mut probes: FuturesUnordered<_> = open.iter().cloned().map(|subject| probe(&bus.client, subject)).collect();
    let mut denied = BTreeSet::new();
    let mut answered = 0;
    while !open.is_empty() {
        let said = timeout_at(deadline, async {
            tokio::select! {
                Some((subject, answered)) = probes.next() => Said::Answer(subject, answered),
                denial = denials.recv() => Said::Denial(denial),
            }
        });
        match said.await {
            Err(_) => break,
            Ok(Said::Answer(subject, Ok(()))) => {
                answered += 1;
                open.remove(&subject);
            }
            Ok(Said::Answer(subject, Err(error))) => {
                return Err(BusError::broker(format!("try {subject}"), error));
            }
            Ok(Said::Denial(Ok(denial))) if denial.action == Action::Publish => {
                if open.remove(&denial.subject) {
                    denied.insert(format!("publish to {}", denial.subject));
                }
            }
            // Without its inbox it hears no answer, so there is nothing to wait for.
            Ok(Said::Denial(Ok(denial))) => {
                denied.insert(format!("subscribe to {}", denial.subject));
                break;
            }
            Ok(Said::Denial(Err(RecvError::Lagged(_)))) => {}
            Ok(Said::Denial(Err(RecvError::Closed))) => break,
        }
    }
    if !denied.is_empty() {
        return Err(BusError::Denied { user: identity.as_str(), what: shorten(denied) });
    }
    // A denial is always told, and before any later answer; an answer is not always given (the broker is silent about an
    // acknowledgement of no delivery while a consumer has others to wait for). So silence about some is no denial, and
    // silence about all is a broker that is not well.
    if answered == 0 {
        let silence = format!("no answer within {} ms", ANSWER_WITHIN.as_millis());
        return Err(BusError::broker(format!("try {}", shorten(open)), silence));
    }
    Ok(())
}

enum Said {
    Answer(String, Result<(), async_nats::RequestError>),
    Denial(Result<crate::denial::Denial, RecvError>),
}

async fn probe(client: &Client, subject: String) -> (String, Result<(), async_nats::RequestError>) {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_STREAM, NOTHING);
    // The deadline is the caller's: a time-out of its own could come before the denial does.
    let request = Request::new().headers(headers).payload(UNREADABLE.into()).timeout(Some(ANSWER_WITHIN * 2));
    let answer = match client.send_request(subject.clone(), request).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        Err(error) => Err(error),
    };
    (subject, answer)
}

/// A subject that a pattern allows and that means nothing.
fn concrete(pattern: &str) -> String {
    pattern
        .split('.')
        .map(|token| if matches!(token, "*" | ">") { NOTHING } else { token })
        .collect::<Vec<_>>()
        .join(".")
}

fn shorten(subjects: BTreeSet<String>) -> String {
    let more = subjects.len().saturating_sub(NAMED);
    let mut text = subjects.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
