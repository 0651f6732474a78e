#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| klamm::fuzzing::transaction_requests(data));
