#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| caffeine_doc_writer::properties::rendering(bytes));
