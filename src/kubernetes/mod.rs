//! The API server of a Kubernetes cluster: where it is, how requests are sent to it, and the few
//! objects that this program reads and writes.
//!
//! Facts: Kubernetes documentation ("Server-Side Apply", "Kubernetes API Concepts", "Organizing
//! Cluster Access Using kubeconfig Files") and `k8s.io/client-go` (`tools/clientcmd`, `rest`).

mod client;
mod connection;
mod in_cluster;
mod kubeconfig;
mod last_response;
mod metadata;
mod names;
mod path;
mod status;

pub(crate) use client::Client;
pub(crate) use client::Patch;
pub(crate) use client::Writing;
pub(crate) use connection::Connection;
pub(crate) use metadata::Metadata;
pub(crate) use metadata::ObjectVersion;
pub(crate) use names::label;
pub(crate) use names::subdomain;
pub(crate) use path::object_path;
pub(crate) use status::ApiError;
