//! Trace context across the broker.

use std::collections::HashMap;

use caffeine_contract::Kind;
use caffeine_contract::headers::TRACEPARENT;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, global};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::delivery::Delivery;
use crate::headers::{Envelope, trace_context};

/// The trace context of the current span as a `traceparent`, for work that goes on elsewhere: in a row of an outbox.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove(TRACEPARENT)
}

/// Makes a span part of the trace that a `traceparent` names (one that cannot be read names none), and writes the
/// trace's id into its field `trace_id`, if it has one.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(text) = traceparent {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), text.to_owned())]);
        let sender =
            global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &carrier));
        // Fails where no tracer is installed, and then there is nothing to continue.
        let _ = span.set_parent(sender);
    }
    note_trace(span);
}

/// Whether a message's delivery begins a trace of its own that links to the run's.
pub(crate) fn only_links(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::FilesBatch | Kind::ChunksBatch))
}

/// Log lines inside a span name its trace.
fn note_trace(span: &Span) {
    let trace = span.context().span().span_context().trace_id();
    if trace != opentelemetry::TraceId::INVALID {
        span.record("trace_id", tracing::field::display(trace));
    }
}

/// The span of a delivery. It continues the sender's trace; batches only link to it and begin a trace of their own,
/// or one large repository would be one trace with as many spans as batches.
pub(crate) fn process(delivery: &Delivery) -> Span {
    let headers = delivery.message.headers.as_ref();
    let envelope = Envelope::read(headers);
    let spec = &delivery.reader.spec;
    let name = envelope.kind.map_or("message", |kind| kind.spec().name);
    let id = headers.and_then(|map| map.get(caffeine_contract::headers::MESSAGE_ID)).map_or("", |id| id.as_str());
    let span = tracing::info_span!(
        parent: None,
        "process",
        otel.name = format!("process {name}"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.destination.name = delivery.facts.stream,
        messaging.destination.template = format!("caffeine.v1.{name}"),
        messaging.consumer.group.name = spec.durable,
        messaging.message.id = id,
        messaging.message.body.size = delivery.message.payload.len(),
        messaging.nats.delivered = delivery.facts.delivered,
        messaging.nats.stream_sequence = delivery.facts.sequence,
        run_id = Empty,
        key = Empty,
        trace_id = Empty,
    );
    if let Some(scope) = &envelope.scope {
        span.record("run_id", tracing::field::display(scope.run));
    }
    if let Some(key) = &envelope.key {
        span.record("key", key.as_str());
    }
    let sender = trace_context(headers);
    if only_links(envelope.kind) {
        span.add_link(sender.span().span_context().clone());
    } else {
        // Fails where no tracer is installed, and then there is nothing to continue.
        let _ = span.set_parent(sender);
    }
    note_trace(&span);
    span
}
