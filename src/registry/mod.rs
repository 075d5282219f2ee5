//! IBM Cloud's registries: their hosts, the check of a credential, and registry tokens.

pub mod api;
pub mod credential_check;
mod host;
mod intended;
pub mod own_tokens;

pub use host::*;
pub use intended::intended;
