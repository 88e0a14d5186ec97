//! Any bytes through the decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| convoke_testkit::fuzzing::decoder(bytes));
