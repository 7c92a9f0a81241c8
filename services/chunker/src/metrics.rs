//! The metrics of the chunker.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};

pub(crate) struct Metrics {
    files: Counter<u64>,
    bytes: Counter<u64>,
    batch: Histogram<f64>,
    link: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("caffeine-chunker");
        Self {
            files: meter
                .u64_counter("caffeine.analyse.files")
                .with_unit("{file}")
                .with_description("Files analysed; `skipped` tells whether they were left out.")
                .build(),
            bytes: meter
                .u64_counter("caffeine.analyse.content")
                .with_unit("By")
                .with_description("Content of the files analysed.")
                .build(),
            batch: meter
                .f64_histogram("caffeine.analyse.batch_duration")
                .with_unit("s")
                .with_description("Time to analyse a batch, without storing it.")
                .build(),
            link: meter
                .f64_histogram("caffeine.analyse.link_duration")
                .with_unit("s")
                .with_description("Time to link a snapshot, with reading and storing.")
                .build(),
        }
    }

    /// A batch was analysed.
    pub(crate) fn analysed(&self, files: usize, skipped: usize, bytes: usize, took: Duration) {
        self.files.add((files - skipped) as u64, &[KeyValue::new("skipped", false)]);
        self.files.add(skipped as u64, &[KeyValue::new("skipped", true)]);
        self.bytes.add(bytes as u64, &[]);
        self.batch.record(took.as_secs_f64(), &[]);
    }

    /// A snapshot was linked.
    pub(crate) fn linked(&self, took: Duration) {
        self.link.record(took.as_secs_f64(), &[]);
    }
}
