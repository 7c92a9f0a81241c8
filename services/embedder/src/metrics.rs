//! The metrics of the embedder.

use std::time::Duration;

use opentelemetry::global;
use opentelemetry::metrics::{Counter, Histogram};

pub(crate) struct Metrics {
    chunks: Counter<u64>,
    embed: Histogram<f64>,
    store: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("caffeine-embedder");
        Self {
            chunks: meter
                .u64_counter("caffeine.index.chunks")
                .with_unit("{chunk}")
                .with_description("Chunks embedded.")
                .build(),
            embed: meter
                .f64_histogram("caffeine.index.embed_duration")
                .with_unit("s")
                .with_description("Time to embed a batch.")
                .build(),
            store: meter
                .f64_histogram("caffeine.index.store_duration")
                .with_unit("s")
                .with_description("Time to store a batch.")
                .build(),
        }
    }

    /// A batch was embedded.
    pub(crate) fn embedded(&self, chunks: usize, took: Duration) {
        self.chunks.add(chunks as u64, &[]);
        self.embed.record(took.as_secs_f64(), &[]);
    }

    /// A batch was stored.
    pub(crate) fn stored(&self, took: Duration) {
        self.store.record(took.as_secs_f64(), &[]);
    }
}
