//! The services of IBM Cloud and their paths, without the registry itself.

use std::io;
use std::io::Write as _;

use crate::api_keys;
use crate::browser_login;
use crate::connection::Connection;
use crate::discovery;
use crate::emulator::Cloud;
use crate::iam;
use crate::metadata;
use crate::rejection::Shape;
use crate::request::Recorded;
use crate::response::Response;
use crate::token_api;

/// A service that can be made to fail, apart from the others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Service {
    /// `/v1/apikeys…`: creates, shows and deletes API keys.
    ApiKeys,
    /// `GET /identity/authorize` and `/identity/passcode`: the pages for a browser.
    Browser,
    /// `GET /identity/.well-known/openid-configuration`: where IAM's other endpoints are.
    Discovery,
    /// `/instance_identity/v1/…` and `/identity/v1/…`: the metadata service of a virtual server.
    Metadata,
    /// `/api/v1/tokens…` of a registry: creates, lists and deletes its tokens.
    RegistryTokens,
    /// `/`: what answers a client that asks nothing.
    StartPage,
    /// `POST /identity/token`: exchanges grants.
    Token,
}

impl Service {
    /// Returns the service that `request` is for. `None` for the registry, the emulator's own controls, and unknown paths.
    pub(crate) fn of(request: &Recorded) -> Option<Self> {
        match request.path.as_str() {
            iam::TOKEN_PATH => (request.method == "POST").then_some(Self::Token),
            "/" => Some(Self::StartPage),
            discovery::PATH => Some(Self::Discovery),
            browser_login::AUTHORIZE_PATH | browser_login::PASSCODE_PATH => Some(Self::Browser),
            path if metadata::owns(path) => Some(Self::Metadata),
            path if api_keys::owns(path) => Some(Self::ApiKeys),
            path if token_api::owns(path) => Some(Self::RegistryTokens),
            _ => None,
        }
    }

    /// Returns the service that a control request names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let service = match name {
            "api-keys" => Self::ApiKeys,
            "browser" => Self::Browser,
            "discovery" => Self::Discovery,
            "metadata" => Self::Metadata,
            "registry-tokens" => Self::RegistryTokens,
            "start-page" => Self::StartPage,
            "token" => Self::Token,
            _ => return None,
        };
        Some(service)
    }

    /// Returns whether its requests carry forms; the others carry JSON.
    pub(crate) fn reads_forms(self) -> bool {
        matches!(self, Self::Browser | Self::Token)
    }

    /// Answers a request, with a failure if one is set.
    pub(crate) fn answer(
        self,
        cloud: &Cloud,
        request: &Recorded,
        connection: &mut Connection,
    ) -> io::Result<()> {
        let well = || self.answer_normally(cloud, request);
        match cloud.next_fault(self) {
            Some(fault) => fault.deliver(connection, self.shape(), well),
            None => connection.write_all(&well().to_bytes()),
        }
    }

    fn answer_normally(self, cloud: &Cloud, request: &Recorded) -> Response {
        let accounts = &cloud.accounts;
        let answer = match self {
            Self::ApiKeys => api_keys::answer(accounts, request),
            Self::Browser => browser_login::answer(accounts, request),
            Self::Discovery => discovery::answer(request),
            Self::Metadata => metadata::answer(accounts, request),
            Self::RegistryTokens => token_api::answer(accounts, request),
            Self::StartPage => Ok(iam::unknown_request(request)),
            Self::Token => iam::exchange(accounts, request),
        };
        answer.unwrap_or_else(|rejection| rejection.into_response(self.shape()))
    }

    fn shape(self) -> Shape {
        match self {
            Self::ApiKeys => Shape::Management,
            Self::Metadata => Shape::Metadata,
            Self::RegistryTokens => Shape::Registry,
            Self::Browser | Self::Discovery | Self::StartPage | Self::Token => Shape::Iam,
        }
    }
}
