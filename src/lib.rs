//! `docker-credential-icr`: a Docker credential helper for IBM Cloud Container
//! Registry.
//!
//! A client asks for a registry's password on standard input and gets a
//! short-lived IAM access token. The way of such a request, top to bottom:
//!
//! | module | question it answers |
//! |---|---|
//! | [`cli`] | what do the arguments ask for? |
//! | [`commands`] | what does a person ask for? |
//! | [`helper`] | what do clients send, and how do they read an answer? |
//! | [`kubelet`] | what does a Kubernetes node ask for, and for how long does it keep an answer? |
//! | [`registry`] | is this host one of IBM Cloud's registries, and what does it say? |
//! | [`credentials`] | in which order are a token and its source found? |
//! | [`token_cache`] | which token is still good? |
//! | [`sources`] | where does a credential come from? |
//! | [`lock`] | which of several processes asks IAM? |
//! | [`iam`], [`metadata`] | what does IAM, or a virtual server's metadata service, give? |
//! | `kubernetes` | what does a cluster's API server store? |
//! | [`http`] | what carries a request? |
//! | [`keychain`] | where does the system keep secrets? |
//!
//! Beside them: [`client_config`] (clients' files), [`settings`] and [`environment`],
//! [`login`] (what is stored for a registry), [`terminal`], [`log`], [`process`], [`fs`],
//! and small ones.
//!
//! [`cli::run`] is given its arguments, its streams and a [`context`]: time, environment,
//! randomness, network and keychains. `main.rs` hands in the real ones. Files that settings
//! or variables name, and locks, are read and made where that is needed.

pub mod child;
pub mod cli;
pub mod client_config;
pub mod commands;
pub mod context;
pub mod credential;
pub mod credentials;
pub mod digest;
pub mod environment;
pub mod error;
pub mod fs;
pub mod helper;
pub mod http;
pub mod iam;
pub mod keychain;
pub mod kubelet;
mod kubernetes;
pub mod lock;
pub mod log;
pub mod login;
pub mod metadata;
pub mod process;
pub mod registry;
pub mod secret;
pub mod settings;
pub mod sources;
pub mod terminal;
pub(crate) mod text;
pub mod time;
pub mod token_cache;

/// The name of the program, as clients look for it on the path.
pub const PROGRAM: &str = "docker-credential-icr";
