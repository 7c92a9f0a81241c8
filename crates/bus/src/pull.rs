//! Pulls one message at a time, for one slot.
//!
//! The client's own streams ask for the next message when the last one is handed over, so it would wait, its ack wait
//! running, until the slot is free; here a request goes out only when somebody is there to take the answer. Idle
//! heartbeats tell a quiet stream from a request that the broker has forgotten, as after a reconnect or a change of
//! leader (nats.rs#557, #860, #1285, nats.go#2063).

use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subscriber};
use futures::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::Bus;
use crate::delay::Backoff;
use crate::reconnect::Reconnects;

/// How long the broker keeps a request.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often the broker says that it still has the request.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After this silence the request is made again.
const SILENCE: Duration = Duration::from_secs(11);
/// A request that the broker refuses at once, with an answer to the inbox.
const REFUSED: &str = "{";
/// How long a closing subscription waits for its last message.
const LAST_WITHIN: Duration = Duration::from_secs(1);

pub(crate) struct Puller {
    client: Client,
    reconnects: Reconnects,
    /// `$JS.API.CONSUMER.MSG.NEXT.<stream>.<durable>`.
    request: String,
    open: Option<Open>,
    backoff: Backoff,
}

/// A subscription that the answers come to.
struct Open {
    subscriber: Subscriber,
    inbox: String,
    /// How many messages it has brought.
    taken: u64,
}

impl Open {
    async fn next(&mut self) -> Option<Message> {
        let message = self.subscriber.next().await?;
        self.taken += 1;
        Some(message)
    }
}

enum Answer {
    Work(Message),
    /// The request has ended without a message: ask again.
    Expired,
    /// The request may be gone, or never arrived: subscribe anew and ask again.
    Broken(String),
}

impl Puller {
    pub(crate) fn new(bus: &Bus, stream: &str, durable: &str) -> Self {
        Self {
            client: bus.client.clone(),
            reconnects: bus.reconnects.clone(),
            request: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"),
            open: None,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
        }
    }

    /// The next message; `None` after `shutdown`. Waits through outages.
    pub(crate) async fn next(&mut self, shutdown: &CancellationToken) -> Option<Message> {
        loop {
            if shutdown.is_cancelled() {
                return None;
            }
            let reconnected = self.reconnects.next();
            let answer = tokio::select! {
                // A message that is there already comes first.
                biased;
                answer = self.ask() => answer,
                // A request is forgotten with the connection it came on.
                () = reconnected => Answer::Broken("the connection was lost".to_owned()),
                () = shutdown.cancelled() => return None,
            };
            match answer {
                Answer::Work(message) => {
                    self.backoff.reset();
                    return Some(message);
                }
                Answer::Expired => self.backoff.reset(),
                Answer::Broken(problem) => {
                    tracing::debug!(request = self.request, problem, "a pull request is made again");
                    // A fresh inbox: whatever the old request still brings goes to nobody, so the broker drops it.
                    self.open = None;
                    let pause = self.backoff.pause();
                    tokio::select! { () = tokio::time::sleep(pause) => {}, () = shutdown.cancelled() => return None }
                }
            }
        }
    }

    /// Ends the pending request; returns the message that it brought in the last moment.
    ///
    /// The broker gives a request up when nobody listens to its inbox any more. What it has sent by then is still under
    /// way, and a subscription that the client drains is forgotten before that arrives: the message would come again
    /// only after its ack wait. So the subscription ends with one message more, whatever that is, and the broker is
    /// asked for one that it always has, a refusal.
    pub(crate) async fn close(&mut self) -> Option<Message> {
        let mut open = self.open.take()?;
        while let Some(Some(message)) = open.next().now_or_never() {
            if is_work(&message) {
                return Some(message);
            }
        }
        open.subscriber.unsubscribe_after(open.taken + 1).await.ok()?;
        self.client.publish_with_reply(self.request.clone(), open.inbox.clone(), REFUSED.into()).await.ok()?;
        let last = tokio::time::timeout(LAST_WITHIN, open.next()).await.ok()??;
        is_work(&last).then_some(last)
    }

    async fn ask(&mut self) -> Answer {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let inbox = self.client.new_inbox();
                match self.client.subscribe(inbox.clone()).await {
                    Ok(subscriber) => self.open.insert(Open { subscriber, inbox, taken: 0 }),
                    Err(error) => return Answer::Broken(error.to_string()),
                }
            }
        };
        let body =
            format!(r#"{{"batch":1,"expires":{},"idle_heartbeat":{}}}"#, EXPIRES.as_nanos(), HEARTBEAT.as_nanos());
        let sent = self.client.publish_with_reply(self.request.clone(), open.inbox.clone(), body.into()).await;
        if let Err(error) = sent {
            return Answer::Broken(error.to_string());
        }
        loop {
            let message = match tokio::time::timeout(SILENCE, open.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Answer::Broken("the subscription ended".to_owned()),
                Err(_) => return Answer::Broken("silence".to_owned()),
            };
            match message.status {
                None | Some(StatusCode::OK) => return Answer::Work(message),
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => return Answer::Expired,
                Some(status) => {
                    let detail = message.description.unwrap_or_default();
                    return Answer::Broken(format!("{status} {detail}"));
                }
            }
        }
    }
}

/// Whether a message is work, and not the broker's word about a request.
fn is_work(message: &Message) -> bool {
    matches!(message.status, None | Some(StatusCode::OK))
}
