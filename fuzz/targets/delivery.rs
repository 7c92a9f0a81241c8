#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| caffeine_gateway::properties::delivery(bytes));
