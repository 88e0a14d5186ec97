//! The link against an agent that is played by the test.
