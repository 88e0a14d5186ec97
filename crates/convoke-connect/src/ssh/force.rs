//! Which options are in force for a host, and whether the native client implements all of them.
