//! A controller that says anything, to the agent's half of a link.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| convoke_testkit::fuzzing::agent(bytes));
