//! Run commands on many hosts: the engine and the library.
