//! How Convoke reaches a host: one trait, a registry by url scheme, one file a connector.
