//! Which hosts: ranges, ordered host lists and host expressions.
