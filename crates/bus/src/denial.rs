//! What the broker has denied on a connection. A denied call gets no answer: the caller only sees a time-out, and the
//! reason shows as an event of the connection alone.

use tokio::sync::broadcast;

/// Denials that may wait for a listener that is slow.
const REMEMBERED: usize = 256;

/// Something that this user may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) action: Action,
    pub(crate) subject: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Publish,
    Subscribe,
}

impl Denial {
    /// Reads the broker's sentence, `Permissions Violation for Publish to "<subject>"`.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("Permissions Violation for ")?;
        let (verb, rest) = rest.split_once(" to \"")?;
        let action = match verb {
            "Publish" => Action::Publish,
            "Subscription" => Action::Subscribe,
            _ => return None,
        };
        let (subject, _) = rest.split_once('"')?;
        Some(Self { action, subject: subject.to_owned() })
    }
}

/// Tells listeners of denials. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Denials(broadcast::Sender<Denial>);

impl Denials {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(REMEMBERED))
    }

    /// Notes what the broker said, if it is a denial.
    pub(crate) fn notice(&self, said: &str) {
        if let Some(denial) = Denial::parse(said) {
            // Nobody listens most of the time; the event is in the log all the same.
            let _ = self.0.send(denial);
        }
    }

    /// Denials from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Denial> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Denial};

    #[test]
    fn the_brokers_words() {
        let check = |text: &str, expected: Option<(Action, &str)>| {
            let expected = expected.map(|(action, subject)| Denial { action, subject: subject.to_owned() });
            assert_eq!(Denial::parse(text), expected, "{text}");
        };
        check(r#"nats: Permissions Violation for Publish to "a.b.>""#, Some((Action::Publish, "a.b.>")));
        check(
            r#"nats: Permissions Violation for Subscription to "_INBOX_x.1.*" using queue "q""#,
            Some((Action::Subscribe, "_INBOX_x.1.*")),
        );
        check("nats: Stale Connection", None);
        check("nats: Permissions Violation", None);
    }
}
