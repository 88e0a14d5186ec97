//! How long a thousand hosts take: told, not required.
