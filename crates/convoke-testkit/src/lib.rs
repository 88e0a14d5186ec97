//! What Convoke's tests stand on: an in-memory connector with scripted faults, a conformance suite, a leak check, the layer test.
