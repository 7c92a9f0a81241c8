//! Every metric of the cloner.

use opentelemetry::metrics::{Counter, Histogram};

/// The instruments. Without an exporter they do nothing.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    bytes: Counter<u64>,
    files: Counter<u64>,
    seconds: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = opentelemetry::global::meter("caffeine-cloner");
        Self {
            bytes: meter
                .u64_counter("caffeine.clone.bytes")
                .with_unit("By")
                .with_description("Bytes received from git hosts")
                .build(),
            files: meter
                .u64_counter("caffeine.clone.files")
                .with_unit("{file}")
                .with_description("Files sent to the chunker")
                .build(),
            seconds: meter
                .f64_histogram("caffeine.clone.seconds")
                .with_unit("s")
                .with_description("Time to fetch and list a commit")
                .build(),
        }
    }

    /// A commit was fetched and listed.
    pub(crate) fn fetched(&self, bytes: u64, seconds: f64) {
        self.bytes.add(bytes, &[]);
        self.seconds.record(seconds, &[]);
    }

    /// Files were sent.
    pub(crate) fn sent(&self, files: u64) {
        self.files.add(files, &[]);
    }
}
