//! IBM Cloud's registries: their hosts, and what one says to a credential or a token.

pub mod api;
pub mod credential_check;
mod host;
pub mod own_tokens;

pub use host::*;
