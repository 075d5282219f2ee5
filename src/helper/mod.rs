//! Docker's credential-helper protocol.

pub mod wire;
