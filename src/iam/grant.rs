//! [`Grant`]: what is exchanged for a token, and the form of `POST /identity/token`.

use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;

/// An OAuth client. IAM accepts a refresh token only from the client that received it
/// (`ibm-cloud-cli-sdk`, `bluemix/authentication/iam/iam.go`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// The `client_id`.
    pub id: String,
    /// The `client_secret`; that of the IBM Cloud CLI is public.
    pub secret: Secret,
}

impl Client {
    /// Returns the client of the IBM Cloud CLI, `bx`, which most refresh tokens belong to
    /// (`bluemix-go`, `authentication/iam.go`).
    pub fn cli() -> Self {
        Self {
            id: "bx".to_owned(),
            secret: Secret::new("bx"),
        }
    }
}

/// What is exchanged for an access token.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// An API key of a user or a service ID.
    ApiKey {
        /// The key.
        key: &'a Secret,
        /// Whether to send the client of the IBM Cloud CLI, without which IAM issues no
        /// refresh token (it writes `not_supported`).
        for_refresh_token: bool,
    },
    /// An access token that may assume a trusted profile
    /// (`go-sdk-core`, `core/iam_assume_authenticator.go`).
    Assume {
        /// The access token of the identity that assumes the profile.
        access_token: &'a Secret,
        /// The profile. A name without an account is sent as it is; IAM's message then
        /// says what is missing.
        profile: &'a TrustedProfile,
    },
    /// An authorization code (RFC 6749, section 4.1.3).
    AuthorizationCode {
        /// The code.
        code: &'a Secret,
        /// The redirect URI of the authorization request.
        redirect_uri: &'a str,
        /// The PKCE code verifier (RFC 7636, section 4.5).
        verifier: &'a Secret,
    },
    /// The token of a pod, a Code Engine run or an agent
    /// (`go-sdk-core`, `core/container_authenticator.go`).
    ComputeResource {
        /// The content of the token file.
        token: &'a Secret,
        /// The profile that trusts it. A name is looked for in the account of the
        /// compute resource, so its own account is not sent.
        profile: &'a TrustedProfile,
    },
    /// A one-time passcode, which IAM's passcode page shows after login
    /// (`bluemix-go`, `authentication/iam.go`).
    Passcode(&'a Secret),
    /// A refresh token.
    RefreshToken {
        /// The token.
        token: &'a Secret,
        /// The client that received it.
        client: &'a Client,
    },
}

impl<'a> Grant<'a> {
    /// Returns the form fields, some of which are secret.
    pub(super) fn form(&self) -> Vec<(&'static str, Secret)> {
        let mut fields = vec![("grant_type", self.grant_type())];
        match *self {
            Self::ApiKey { key, .. } => fields.push(("apikey", key.expose())),
            Self::Assume {
                access_token,
                profile,
            } => {
                fields.push(("access_token", access_token.expose()));
                fields.extend(profile_fields(profile));
            }
            Self::AuthorizationCode {
                code,
                redirect_uri,
                verifier,
            } => fields.extend([
                ("code", code.expose()),
                ("redirect_uri", redirect_uri),
                ("code_verifier", verifier.expose()),
            ]),
            Self::ComputeResource { token, profile } => {
                fields.push(("cr_token", token.expose()));
                fields.extend(profile_fields(profile).filter(|(name, _)| *name != "account"));
            }
            Self::Passcode(passcode) => fields.extend([
                ("response_type", "cloud_iam"),
                ("passcode", passcode.expose()),
            ]),
            Self::RefreshToken { token, .. } => fields.extend([
                ("response_type", "cloud_iam"),
                ("refresh_token", token.expose()),
            ]),
        }
        fields
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect()
    }

    /// Returns the client for HTTP basic authentication.
    pub(super) fn client(&self) -> Option<Client> {
        match *self {
            Self::ApiKey {
                for_refresh_token, ..
            } => for_refresh_token.then(Client::cli),
            Self::Assume { .. } | Self::ComputeResource { .. } => None,
            Self::AuthorizationCode { .. } | Self::Passcode(_) => Some(Client::cli()),
            Self::RefreshToken { client, .. } => Some(client.clone()),
        }
    }

    /// Returns the texts that are removed from IAM's messages.
    pub(super) fn secrets(&self) -> Vec<&'a Secret> {
        match *self {
            Self::ApiKey { key: secret, .. }
            | Self::Assume {
                access_token: secret,
                ..
            }
            | Self::ComputeResource { token: secret, .. }
            | Self::Passcode(secret) => vec![secret],
            Self::AuthorizationCode { code, verifier, .. } => vec![code, verifier],
            // A client secret that equals the client ID is public.
            Self::RefreshToken { token, client } if client.id == client.secret.expose() => {
                vec![token]
            }
            Self::RefreshToken { token, client } => vec![token, &client.secret],
        }
    }

    /// Returns the grant's name for the log.
    pub(super) fn name(&self) -> &'static str {
        let grant_type = self.grant_type();
        grant_type.rsplit(':').next().unwrap_or(grant_type)
    }

    fn grant_type(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "urn:ibm:params:oauth:grant-type:apikey",
            Self::Assume { .. } => "urn:ibm:params:oauth:grant-type:assume",
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::ComputeResource { .. } => "urn:ibm:params:oauth:grant-type:cr-token",
            Self::Passcode(_) => "urn:ibm:params:oauth:grant-type:passcode",
            Self::RefreshToken { .. } => "refresh_token",
        }
    }
}

fn profile_fields(profile: &TrustedProfile) -> impl Iterator<Item = (&'static str, &str)> {
    let (first, account) = match profile {
        TrustedProfile::Id(id) => (("profile_id", &**id), None),
        TrustedProfile::Crn(crn) => (("profile_crn", &**crn), None),
        TrustedProfile::Name { name, account } => (("profile_name", &**name), account.as_deref()),
    };
    let account = account.filter(|account| !account.is_empty());
    [first]
        .into_iter()
        .chain(account.map(|account| ("account", account)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form after the grant type, as one text.
    fn form(grant: &Grant<'_>) -> String {
        let fields: Vec<String> = grant
            .form()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.expose()))
            .collect();
        fields.join("&")
    }

    #[test]
    fn each_grant_sends_its_own_fields_and_client() {
        let secret = &Secret::new("s");
        let verifier = &Secret::new("v");
        let cli = &Client::cli();
        let other = &Client {
            id: "id".into(),
            secret: Secret::new("hunter2"),
        };
        let id = &TrustedProfile::Id("Profile-1".into());
        let key = |for_refresh_token| Grant::ApiKey {
            key: secret,
            for_refresh_token,
        };
        for (grant, fields, client) in [
            (
                key(false),
                "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=s",
                None,
            ),
            (
                key(true),
                "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=s",
                Some(cli),
            ),
            (
                Grant::Assume {
                    access_token: secret,
                    profile: id,
                },
                "grant_type=urn:ibm:params:oauth:grant-type:assume&access_token=s&profile_id=Profile-1",
                None,
            ),
            (
                Grant::AuthorizationCode {
                    code: secret,
                    redirect_uri: "http://localhost:1/",
                    verifier,
                },
                "grant_type=authorization_code&code=s&redirect_uri=http://localhost:1/&code_verifier=v",
                Some(cli),
            ),
            (
                Grant::ComputeResource {
                    token: secret,
                    profile: id,
                },
                "grant_type=urn:ibm:params:oauth:grant-type:cr-token&cr_token=s&profile_id=Profile-1",
                None,
            ),
            (
                Grant::Passcode(secret),
                "grant_type=urn:ibm:params:oauth:grant-type:passcode&response_type=cloud_iam&passcode=s",
                Some(cli),
            ),
            (
                Grant::RefreshToken {
                    token: secret,
                    client: other,
                },
                "grant_type=refresh_token&response_type=cloud_iam&refresh_token=s",
                Some(other),
            ),
        ] {
            assert_eq!(form(&grant), fields);
            assert_eq!(grant.client().as_ref(), client, "{}", grant.name());
            assert!(grant.secrets().contains(&secret), "{}", grant.name());
        }
    }

    #[test]
    fn a_profile_is_named_as_iam_wants_it() {
        let secret = &Secret::new("s");
        let name = TrustedProfile::parse("ci").unwrap();
        for (profile, assume, compute_resource) in [
            (
                TrustedProfile::parse("crn:v1:x").unwrap(),
                "profile_crn=crn:v1:x",
                "profile_crn=crn:v1:x",
            ),
            (name.clone(), "profile_name=ci", "profile_name=ci"),
            (
                name.with_account(Some("acc".into())),
                "profile_name=ci&account=acc",
                "profile_name=ci",
            ),
        ] {
            let assumed = form(&Grant::Assume {
                access_token: secret,
                profile: &profile,
            });
            assert!(assumed.ends_with(&format!("&access_token=s&{assume}")));
            let token = form(&Grant::ComputeResource {
                token: secret,
                profile: &profile,
            });
            assert!(token.ends_with(&format!("&cr_token=s&{compute_resource}")));
        }
    }

    #[test]
    fn a_client_secret_is_redacted_unless_it_is_public() {
        let token = &Secret::new("t");
        let known = &Client::cli();
        let own = &Client {
            id: "id".into(),
            secret: Secret::new("hunter2"),
        };
        let secrets = |client| Grant::RefreshToken { token, client }.secrets();
        assert_eq!(secrets(known), [token]);
        assert_eq!(secrets(own), [token, &own.secret]);
    }
}
