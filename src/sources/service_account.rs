//! The token of a pod's service account, which the kubelet hands over. It is a compute resource
//! token: IAM exchanges it for one of a trusted profile that trusts the service account.
//!
//! It is no part of the chain: where a pod has an identity, no other one may answer for it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Identity;
use super::SourceContext;
use super::environment_profile;
use super::grant_input::GrantInput;
use super::source_identity::SourceIdentity;
use crate::digest;
use crate::environment::SERVICE_ACCOUNT_PROFILE;
use crate::error::Error;
use crate::error::Result;
use crate::iam::jwt;
use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::sources::advice::SourceKind;
use crate::text::repeatable;
use crate::time;

/// The audience that IAM accepts (IBM Cloud Kubernetes Service documentation,
/// `access-pod-identity.md`).
const AUDIENCE: &str = "iam";

/// The longest lifetime of a token that IAM accepts, in seconds (same page).
const MAX_LIFETIME: u64 = 60 * 60;

/// The token of a service account, and how its trusted profile is found.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAccount<'a> {
    /// The token.
    pub token: &'a Secret,
    /// The annotations of the service account that the kubelet passes on.
    pub annotations: &'a BTreeMap<String, String>,
    /// The key of the annotation with the trusted profile.
    pub profile_key: &'a str,
    /// The trusted profile without this annotation.
    pub profile: Option<&'a TrustedProfile>,
}

/// The claims of a token (Kubernetes documentation, "Configure Service Accounts for Pods").
#[derive(Default, Deserialize)]
struct Claims {
    #[serde(default)]
    aud: Audience,
    exp: Option<u64>,
    iat: Option<u64>,
    #[serde(default)]
    iss: String,
    #[serde(default, rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Default, Deserialize)]
struct Kubernetes {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    serviceaccount: Name,
}

#[derive(Default, Deserialize)]
struct Name {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
}

/// RFC 7519, section 4.1.3: one text or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Returns the identity of a service account: the trusted profile of its annotation, otherwise
/// that of service accounts, otherwise that of the registry's profile or of `$IBMCLOUD_CR_PROFILE`.
///
/// # Errors
/// No profile is named, the annotation is invalid, or the text is certainly no token.
pub fn service_account_identity<'a>(
    account: &ServiceAccount<'_>,
    context: &SourceContext<'a>,
) -> Result<Box<dyn Identity + 'a>> {
    let kind = SecretKind::ComputeResourceToken;
    let token = input::read(kind, account.token.expose()).map_err(|reason| {
        Error::user(format!(
            "the kubelet sent no service account token: {reason}"
        ))
    })?;
    let claims: Option<Claims> = jwt::claims(token.expose());
    let title = claims.as_ref().map_or_else(
        || "the service account of an unreadable token".to_owned(),
        Claims::title,
    );
    let profile = profile(account, context, &title)?;
    let source = format!("{title} for {profile}");
    let id = match claims.as_ref().filter(|claims| claims.is_complete()) {
        Some(claims) => claims.id(),
        None => digest::fingerprint(&["cr-token", token.expose()]),
    };
    let id = profile.id_on_top_of(&id);
    let hint = advice(claims.as_ref(), context.clock.now());
    let input = GrantInput::ComputeResource { token, profile };
    let kind = SourceKind::ServiceAccount(hint);
    Ok(Box::new(
        SourceIdentity::new(context, source, kind, input).with_id(id),
    ))
}

fn profile(
    account: &ServiceAccount<'_>,
    context: &SourceContext<'_>,
    title: &str,
) -> Result<TrustedProfile> {
    let key = account.profile_key;
    if let Some(text) = account.annotations.get(key) {
        return TrustedProfile::parse(text)
            .map_err(|reason| Error::user(format!("the annotation {key} of {title} {reason}")));
    }
    if let Some(profile) = account.profile {
        return Ok(profile.clone());
    }
    let profile = environment_profile::of_compute_resource(context)?;
    profile.ok_or_else(|| {
        Error::user(format!("no trusted profile is named for {title}")).with_hint(format!(
            "Add the annotation {key} to it and to optionalServiceAccountAnnotationKeys in the kubelet's configuration, or set {SERVICE_ACCOUNT_PROFILE} there"
        ))
    })
}

impl Claims {
    /// Returns the name in messages.
    fn title(&self) -> String {
        let account = &self.kubernetes.serviceaccount;
        if [&self.kubernetes.namespace, &account.name]
            .into_iter()
            .all(|name| is_dns_name(name))
        {
            format!(
                "service account {}/{}",
                self.kubernetes.namespace, account.name
            )
        } else {
            "a service account".to_owned()
        }
    }

    /// Returns whether the claims name exactly one service account.
    fn is_complete(&self) -> bool {
        let account = &self.kubernetes.serviceaccount;
        let parts = [&self.kubernetes.namespace, &account.name, &account.uid];
        parts.into_iter().all(|part| !part.is_empty())
    }

    /// Returns a digest of the service account, which all its tokens share.
    fn id(&self) -> String {
        let account = &self.kubernetes.serviceaccount;
        digest::fingerprint(&[
            "service account",
            &self.iss,
            &self.kubernetes.namespace,
            &account.name,
            &account.uid,
        ])
    }
}

/// Returns the hint if IAM rejects a token: what its claims show, or what IAM checks. This is for
/// the message only, because the signature is not verified here.
fn advice(claims: Option<&Claims>, now: u64) -> String {
    let Some(claims) = claims else {
        return "It is no JSON Web Token. Check tokenAttributes in the kubelet's configuration"
            .to_owned();
    };
    if !claims.aud.contains(AUDIENCE) {
        return format!(
            "The token has another audience than '{AUDIENCE}'. Set serviceAccountTokenAudience: {AUDIENCE} in the kubelet's configuration"
        );
    }
    if let Some(age) = claims.exp.and_then(|exp| now.checked_sub(exp)) {
        return format!(
            "The token expired {} ago by this machine's clock. Check the clocks of the node and of the API server",
            time::duration(age)
        );
    }
    let lifetime = claims.exp.zip(claims.iat);
    if lifetime.is_some_and(|(exp, iat)| exp.saturating_sub(iat) > MAX_LIFETIME) {
        return "The token is valid for more than an hour, which IAM does not accept".to_owned();
    }
    let issuer = repeatable::host(&claims.iss).map_or_else(String::new, |host| {
        format!(" (the token's issuer is at {host})")
    });
    format!(
        "Check that the trusted profile trusts {} of this cluster{issuer} (IAM, Trusted profiles)",
        claims.title()
    )
}

/// Returns whether this is a name of Kubernetes (RFC 1123), which is no secret.
fn is_dns_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::super::tests::Machine;
    use super::super::tests::NOW;
    use super::*;

    const KEY: &str = "docker-credential-icr/trusted-profile";

    fn claims(changes: &Value) -> String {
        let mut claims = json!({
            "aud": ["iam"], "exp": NOW + 3600, "iat": NOW, "iss": "https://oidc.example.com/id/1",
            "kubernetes.io": {
                "namespace": "build", "pod": {"name": "p", "uid": "u1"},
                "serviceaccount": {"name": "deployer", "uid": "uid-1"},
            },
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        jwt::unsigned(&claims)
    }

    /// Returns the source and the cache key of the identity for a token and an annotation.
    fn identity(
        machine: &Machine,
        token: &str,
        annotation: Option<&str>,
    ) -> Result<(String, String)> {
        let annotation = annotation.map(|text| (KEY.to_owned(), text.to_owned()));
        let account = ServiceAccount {
            token: &Secret::new(token),
            annotations: &annotation.into_iter().collect(),
            profile_key: KEY,
            profile: None,
        };
        machine.look("us.icr.io", |_, context| {
            let identity = service_account_identity(&account, context)?;
            Ok((identity.source(), identity.key().as_str().to_owned()))
        })
    }

    #[test]
    fn the_profile_is_that_of_the_annotation_otherwise_that_of_the_machine() {
        let mut machine = Machine::new();
        let token = claims(&json!({}));
        let error = identity(&machine, &token, None).unwrap_err().to_string();
        for part in [
            "no trusted profile",
            "build/deployer",
            KEY,
            "ICR_SERVICE_ACCOUNT_PROFILE",
        ] {
            assert!(error.contains(part), "{error}");
        }
        machine.set("IBMCLOUD_CR_PROFILE", "Profile-node");
        for (annotation, profile) in [(None, "Profile-node"), (Some("Profile-1"), "Profile-1")] {
            let (source, _) = identity(&machine, &token, annotation).unwrap();
            assert_eq!(
                source,
                format!("service account build/deployer for trusted profile {profile}")
            );
        }
        let error = identity(&machine, &token, Some(" ")).unwrap_err();
        assert!(error.to_string().contains("but is empty"), "{error}");
    }

    #[test]
    fn the_key_is_that_of_the_profile_and_the_account_not_of_the_token() {
        let machine = Machine::new();
        let key = |changes: Value, profile: &str| {
            let identity = identity(&machine, &claims(&changes), Some(profile));
            identity.unwrap().1
        };
        let first = key(json!({}), "Profile-1");
        assert_eq!(
            key(json!({"exp": NOW + 60, "jti": "x"}), "Profile-1"),
            first
        );
        assert_ne!(key(json!({}), "Profile-2"), first);
        let account = |namespace: &str, name: &str, uid: &str| {
            let account = json!({"name": name, "uid": uid});
            json!({"kubernetes.io": {"namespace": namespace, "serviceaccount": account}})
        };
        assert_eq!(
            key(account("build", "deployer", "uid-1"), "Profile-1"),
            first
        );
        for other in [
            account("test", "deployer", "uid-1"),
            account("build", "default", "uid-1"),
            account("build", "deployer", "uid-2"),
            json!({"iss": "https://other.example.com"}),
        ] {
            assert_ne!(key(other, "Profile-1"), first);
        }
        let unnamed = |id: &str| key(json!({"kubernetes.io": {}, "jti": id}), "Profile-1");
        assert_ne!(unnamed("1"), unnamed("2"), "tokens without an account");
    }

    #[test]
    fn the_hint_for_a_rejection_says_what_the_claims_show() {
        let hint = |changes: Value| {
            let claims: Option<Claims> = jwt::claims(&claims(&changes));
            advice(claims.as_ref(), NOW)
        };
        for (changes, expected) in [
            (
                json!({}),
                "trusts service account build/deployer of this cluster (the token's issuer is at oidc.example.com)",
            ),
            (json!({"aud": "iam"}), "trusts service account"),
            (
                json!({"aud": ["https://kubernetes.default.svc"]}),
                "serviceAccountTokenAudience: iam",
            ),
            (json!({"aud": null}), "no JSON Web Token"),
            (json!({"exp": NOW - 300}), "expired 5 min ago"),
            (json!({"iat": NOW - 1}), "more than an hour"),
            (
                json!({"kubernetes.io": {"namespace": "A\n"}}),
                "trusts a service account of",
            ),
        ] {
            let hint = hint(changes.clone());
            assert!(hint.contains(expected), "{changes}: {hint}");
        }
        assert!(advice(None, NOW).contains("no JSON Web Token"));
    }
}
