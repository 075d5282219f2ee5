//! `docker-credential-icr`: a Docker credential helper for IBM Cloud Container
//! Registry.
//!
//! A client asks for a registry's password on standard input and gets a
//! short-lived IAM access token. The way of such a request, top to bottom:
//!
//! | module | question it answers |
//! |---|---|
//! | [`program`] | what do the arguments ask for? |
//! | [`command`] | what does a person ask for? |
//! | [`protocol`] | what do clients send, and how do they read an answer? |
//! | [`registry`] | is this host one of IBM Cloud's registries? |
//! | [`broker`] | what comes after what? |
//! | [`token_cache`] | is there a token that is still good? |
//! | [`identity`] | who are we, by which source? |
//! | [`lock`] | who asks IAM, of all who want to? |
//! | [`iam`] | what does IAM give for that? |
//! | [`registry_api`] | what does a registry give for IAM's token? |
//! | [`keychain`] | where do secrets rest? |
//!
//! Beside the way: [`client_config`] (clients' files), [`settings`] (what was chosen), [`environment`] (variables and
//! their names), [`login`] (what is stored for a registry), [`secret`] (text that
//! cannot be printed), [`failure`] (why there is no answer), [`trusted_profile`] (whom
//! to become), [`registry_token`] (those that the program makes for itself),
//! [`registry_login`] (what a registry says to a credential), [`fs`] (files that somebody
//! names), [`terminal`] (the person), [`process_memory`] (no other process reads it), `spelling` (which name was meant), `repeatable` (which words messages may repeat), `printable` (which characters a terminal may be given), [`clock`], [`digest`], [`jwt`] and [`log`].
//!
//! [`program::run`] is given its streams, terminal, time, environment, randomness,
//! network and keychains; `main.rs` hands in the real ones. Files that settings or
//! variables name, and locks, are read and made where that is needed.

pub mod broker;
pub mod client_config;
pub mod client_process;
pub mod clock;
pub mod command;
pub mod digest;
pub mod environment;
pub mod failure;
pub mod fs;
pub mod iam;
pub mod identity;
pub mod jwt;
pub mod keychain;
pub mod lock;
pub mod log;
pub mod login;
mod printable;
pub mod process_memory;
pub mod program;
pub mod protocol;
pub mod registry;
pub mod registry_api;
pub mod registry_login;
pub mod registry_token;
pub mod renewal;
mod repeatable;
pub mod secret;
pub mod settings;
mod spelling;
pub mod terminal;
pub mod token_cache;
pub mod trusted_profile;
