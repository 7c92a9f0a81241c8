//! Every metric of the doc-writer.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};

use crate::prices::Prices;

/// The instruments.
#[derive(Debug, Clone)]
pub struct Metrics {
    pages: Counter<u64>,
    page_duration: Histogram<f64>,
    model_tokens: Counter<u64>,
    stored_answers: Counter<u64>,
    model_calls: Counter<u64>,
    model_call_duration: Histogram<f64>,
    model_cost: Counter<f64>,
    prices: Prices,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Prices::default())
    }
}

impl Metrics {
    /// Counts what models cost at these prices.
    #[must_use]
    pub fn new(prices: Prices) -> Self {
        let meter = global::meter("caffeine-doc-writer");
        let stored_answers = meter.u64_counter("caffeine.llm.cache_hit").with_unit("{answer}").build();
        // What may never happen is counted from 0: the first time would else not be seen as an increase.
        stored_answers.add(0, &[]);
        Self {
            pages: meter.u64_counter("caffeine.write.pages").with_unit("{page}").build(),
            page_duration: meter.f64_histogram("caffeine.write.page_duration").with_unit("s").build(),
            model_tokens: meter.u64_counter("caffeine.write.model_tokens").with_unit("{token}").build(),
            stored_answers,
            model_calls: meter.u64_counter("caffeine.llm.calls").with_unit("{call}").build(),
            model_call_duration: meter.f64_histogram("caffeine.llm.call").with_unit("s").build(),
            model_cost: meter.f64_counter("caffeine.llm.cost_usd").build(),
            prices,
        }
    }

    /// A page was written.
    pub(crate) fn written(&self, kind: &'static str, took: Duration) {
        self.pages.add(1, &[KeyValue::new("kind", kind), KeyValue::new("outcome", "published")]);
        self.page_duration.record(took.as_secs_f64(), &[KeyValue::new("kind", kind)]);
    }

    /// A page was given up.
    pub(crate) fn failed(&self) {
        self.pages.add(1, &[KeyValue::new("outcome", "failed")]);
    }

    /// A page asked what had been answered, and paid for, before.
    pub(crate) fn answered_before(&self) {
        self.stored_answers.add(1, &[]);
    }

    /// A call has ended, with an answer (`ok`) or with a word for why not.
    pub(crate) fn asked(&self, model: &str, outcome: &'static str, took: Duration, input: u64, output: u64) {
        if let Some(cost) = self.prices.cost(model, input, output) {
            self.model_cost.add(cost, &[KeyValue::new("model", model.to_owned())]);
        }
        let model = KeyValue::new("model", model.to_owned());
        self.model_calls.add(1, &[model.clone(), KeyValue::new("outcome", outcome)]);
        self.model_call_duration.record(took.as_secs_f64(), std::slice::from_ref(&model));
        self.model_tokens.add(input, &[model.clone(), KeyValue::new("direction", "input")]);
        self.model_tokens.add(output, &[model, KeyValue::new("direction", "output")]);
    }
}
