//! Between typed scopes and the headers of a message.

use async_nats::{HeaderMap, HeaderValue};
use caffeine_contract::{Kind, Scope, headers};
use caffeine_model::Generation;
use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::propagation::{Extractor, Injector};

use crate::{Outgoing, percent};

/// Sets a header; line breaks, which would end it, become spaces.
pub(crate) fn set(map: &mut HeaderMap, name: &'static str, text: &str) {
    let clean = text.replace(['\r', '\n'], " ");
    match clean.parse::<HeaderValue>() {
        Ok(value) => map.insert(name, value),
        Err(error) => tracing::warn!(name, %error, "a header is left out"),
    }
}

/// All headers of a message, with the trace context of `span`.
pub(crate) fn of(outgoing: &Outgoing, context: &Context) -> HeaderMap {
    let mut map = HeaderMap::new();
    let scope = &outgoing.scope;
    set(&mut map, headers::MESSAGE_ID, &outgoing.message_id().to_string());
    set(&mut map, headers::KIND, outgoing.kind.spec().name);
    set(&mut map, headers::WORKSPACE, &scope.workspace.to_string());
    set(&mut map, headers::REPOSITORY, &scope.repository.to_string());
    set(&mut map, headers::RUN, &scope.run.to_string());
    set(&mut map, headers::KEY, &percent::encode(&outgoing.key));
    set(&mut map, headers::GENERATION, &scope.generation.0.to_string());
    set(&mut map, headers::LANE, scope.lane.as_str());
    set(&mut map, headers::ANALYSER, &scope.analyser);
    set(&mut map, headers::EMBEDDING_MODEL, &scope.embedding_model);
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut Carrier(&mut map)));
    map
}

/// What the headers of a message say. Each part may be absent: messages are foreign input.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) kind: Option<Kind>,
    pub(crate) scope: Option<Scope>,
    pub(crate) key: Option<String>,
    /// A person sent this dead letter again.
    pub(crate) redelivered: bool,
    /// Why it must not be run.
    pub(crate) reject_unrun: Option<String>,
}

impl Envelope {
    pub(crate) fn read(map: Option<&HeaderMap>) -> Self {
        let Some(map) = map else { return Self::default() };
        let text = |name: &'static str| map.get(name).map(HeaderValue::as_str);
        Self {
            kind: text(headers::KIND).and_then(Kind::from_name),
            scope: scope(map),
            key: text(headers::KEY).map(percent::decode),
            redelivered: text(headers::REDELIVERED).is_some(),
            reject_unrun: text(headers::REJECT_UNRUN).map(str::to_owned),
        }
    }
}

fn scope(map: &HeaderMap) -> Option<Scope> {
    let text = |name: &'static str| map.get(name).map(HeaderValue::as_str);
    Some(Scope {
        workspace: text(headers::WORKSPACE)?.parse().ok()?,
        repository: text(headers::REPOSITORY)?.parse().ok()?,
        run: text(headers::RUN)?.parse().ok()?,
        generation: Generation(text(headers::GENERATION)?.parse().ok()?),
        lane: text(headers::LANE)?.parse().ok()?,
        analyser: text(headers::ANALYSER).unwrap_or_default().to_owned(),
        embedding_model: text(headers::EMBEDDING_MODEL).unwrap_or_default().to_owned(),
    })
}

/// The trace context that travelled with a message.
pub(crate) fn trace_context(map: Option<&HeaderMap>) -> Context {
    let Some(map) = map else { return Context::new() };
    global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &Reader(map)))
}

struct Carrier<'a>(&'a mut HeaderMap);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let Ok(value) = value.parse::<HeaderValue>() {
            self.0.insert(key, value);
        }
    }
}

struct Reader<'a>(&'a HeaderMap);

impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(HeaderValue::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        vec![headers::TRACEPARENT, "tracestate"]
    }
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;
    use caffeine_contract::{Kind, Scope, headers};
    use caffeine_model::{Generation, Lane, RepositoryId, RunId, WorkspaceId};
    use opentelemetry::Context;

    use super::{Envelope, of, set};
    use crate::Outgoing;

    fn outgoing(key: &str, analyser: &str) -> Outgoing {
        Outgoing {
            kind: Kind::PageRequested,
            scope: Scope {
                workspace: WorkspaceId::generate(),
                repository: RepositoryId::generate(),
                run: RunId::generate(),
                generation: Generation(3),
                lane: Lane::Bulk,
                analyser: analyser.to_owned(),
                embedding_model: "m1".to_owned(),
            },
            key: key.to_owned(),
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn headers_hold_everything() {
        for key in ["", "7", "doc/über\r\nuns"] {
            let sent = outgoing(key, "a1");
            let envelope = Envelope::read(Some(&of(&sent, &Context::new())));
            assert_eq!((envelope.kind, envelope.scope), (Some(sent.kind), Some(sent.scope)));
            assert_eq!(envelope.key, Some(sent.key));
        }
    }

    #[test]
    fn hostile_text_does_not_break_the_headers() {
        let sent = outgoing("k", "a\r\nCaffeine-Run: x");
        let envelope = Envelope::read(Some(&of(&sent, &Context::new())));
        assert_eq!(envelope.scope.unwrap().run, sent.scope.run);
    }

    #[test]
    fn what_is_missing_or_malformed_is_absent() {
        assert!(Envelope::read(None).key.is_none());
        let mut map = of(&outgoing("k", "a"), &Context::new());
        set(&mut map, headers::RUN, "not a uuid");
        let envelope = Envelope::read(Some(&map));
        assert!(envelope.scope.is_none());
        assert_eq!(envelope.kind, Some(Kind::PageRequested));
        assert!(Envelope::read(Some(&HeaderMap::new())).kind.is_none());
    }
}
