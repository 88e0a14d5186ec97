//! An agent that says anything, to the controller's half of a link.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| convoke_testkit::fuzzing::controller(bytes));
