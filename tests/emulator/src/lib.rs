//! IBM Cloud as `docker-credential-icr` meets it, on a loopback port: IAM's token endpoint, the registry's `/oauth/token`,
//! and a reverse proxy in front of a real registry. For tests and the demo only.
//!
//! ```
//! use icr_emulator::{Emulator, Fault, Subject};
//!
//! # fn main() -> anyhow::Result<()> {
//! let cloud = Emulator::start()?;
//! cloud.accounts().add_api_key("secret", Subject::user("1"));
//! cloud.script([Fault::Status(503)]);
//! // … run a client against cloud.url() …
//! assert_eq!(cloud.exchanges(), 0, "nobody called yet");
//! # Ok(())
//! # }
//! ```

mod access_token;
mod accounts;
mod authority;
mod clock;
mod connection;
mod control;
mod emulator;
mod fault;
mod grants;
mod iam;
mod proxy;
mod random;
mod registry;
mod registry_token;
mod request;
mod response;
#[cfg(test)]
mod wire;

pub use accounts::Accounts;
pub use accounts::Subject;
pub use authority::Authority;
pub use emulator::Builder;
pub use emulator::Emulator;
pub use fault::Fault;
pub use request::Recorded;
