#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| caffeine_embedder::properties::chunks_batch(bytes));
