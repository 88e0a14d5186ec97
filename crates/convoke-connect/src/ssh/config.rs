//! What `ssh -G` prints for a host, told without running it.
