//! An emulation of the parts of IBM Cloud that `docker-credential-icr` uses, on a loopback port: IAM with its tokens, browser logins and API keys, the metadata
//! service of virtual servers, the registry's `/oauth/token` and tokens, and its images: either the emulator's own, which can be pulled, or those of
//! a real registry behind it. Also of the API server of a Kubernetes cluster. For tests and the demo only.
//!
//! ```
//! use icr_emulator::{Emulator, Fault, Subject};
//!
//! # fn main() -> anyhow::Result<()> {
//! let cloud = Emulator::start()?;
//! cloud.accounts().add_api_key("secret", Subject::user("1"));
//! cloud.script([Fault::Status(503)]);
//! // … run a client against cloud.url() …
//! assert_eq!(cloud.exchanges(), 0, "no request yet");
//! # Ok(())
//! # }
//! ```

mod access_token;
mod accounts;
mod api_keys;
mod api_server;
mod authority;
mod browser_login;
mod clock;
mod clusters;
mod connection;
mod control;
mod discovery;
mod distribution;
mod emulator;
mod fault;
mod grants;
mod iam;
mod image;
mod jws;
mod metadata;
mod name_server;
mod profile;
mod proxy;
mod random;
mod registry;
mod registry_token;
mod rejection;
mod repositories;
mod request;
mod response;
mod service;
mod sessions;
mod subject;
mod token_api;
mod tunnel;
#[cfg(test)]
mod wire;

pub use accounts::Accounts;
pub use api_server::ApiFault;
pub use api_server::ApiServer;
pub use authority::Authority;
pub use authority::CertificateKind;
pub use clusters::Cluster;
pub use emulator::Builder;
pub use emulator::Emulator;
pub use fault::Fault;
pub use image::Image;
pub use metadata::MetadataApi;
pub use name_server::NameAnswer;
pub use name_server::NameQuestion;
pub use name_server::NameServer;
pub use profile::Profile;
pub use request::Recorded;
pub use service::Service;
pub use subject::Subject;
pub use token_api::RegistryToken;
