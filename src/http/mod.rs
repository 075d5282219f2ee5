//! HTTP requests: what carries them, and how a host is found.

pub mod client;
mod name_lookup;
pub mod transport;
