//! Kubernetes clusters whose service accounts IAM knows: their tokens are verified, and trusted profiles are linked to accounts
//! (IBM Cloud's documentation, `access-pod-identity.md`; `iamidentityv1` of platform-services-go-sdk: `crn`, `namespace`, `name`).

use std::collections::HashSet;

use anyhow::Context as _;
use rcgen::KeyPair;
use serde_json::Value;
use serde_json::json;

use crate::accounts::ComputeRefusal;
use crate::jws::PublicKey;
use crate::jws::SigningKey;
use crate::jws::Unverified;
use crate::random;

/// The audience that a token must have.
const AUDIENCE: &str = "iam";
/// The longest lifetime of a token, in seconds.
const MAX_LIFETIME: u64 = 3600;
/// How far the clock of a cluster may differ, in seconds.
const CLOCK_DIFFERENCE: u64 = 60;

/// A cluster, as IAM knows it.
#[derive(Clone, Debug)]
pub(crate) struct TrustedCluster {
    pub(crate) crn: String,
    issuer: String,
    keys: Vec<(Option<String>, PublicKey)>,
    links: Vec<Link>,
}

/// A trusted profile that service accounts of a cluster may use. Without a namespace or a name, all of them.
#[derive(Clone, Debug)]
struct Link {
    profile: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl TrustedCluster {
    /// Reads a cluster: `crn`, `issuer`, `keys` (a JSON Web Key Set, as `/openid/v1/jwks` of its API server), and `links`, each with
    /// `profile`, and `namespace` and `name` of the service account.
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        let text = |name: &str| Some(json[name].as_str()?.to_owned());
        let keys = json["keys"]["keys"].as_array()?.iter().map(|jwk| {
            let identifier = jwk["kid"].as_str().map(str::to_owned);
            Some((identifier, PublicKey::from_jwk(jwk)?))
        });
        let links = json["links"].as_array()?.iter().map(Link::from_json);
        Some(Self {
            crn: text("crn")?,
            issuer: text("issuer")?,
            keys: keys.collect::<Option<_>>()?,
            links: links.collect::<Option<_>>()?,
        })
    }

    pub(crate) fn profiles(&self) -> impl Iterator<Item = &str> {
        self.links.iter().map(|link| link.profile.as_str())
    }

    /// Returns the IDs of the profiles that a service account may use.
    fn linked_to(&self, namespace: &str, name: &str) -> HashSet<String> {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|it| it == is);
        let links = self
            .links
            .iter()
            .filter(|link| fits(&link.namespace, namespace) && fits(&link.name, name));
        links.map(|link| link.profile.clone()).collect()
    }

    fn has_signed(&self, token: &Unverified<'_>) -> bool {
        let identifier = token.header["kid"].as_str();
        let keys = self
            .keys
            .iter()
            .filter(|(known, _)| known.as_deref() == identifier);
        keys.map(|(_, key)| key)
            .any(|key| token.is_signed_with(key))
    }
}

impl Link {
    fn from_json(json: &Value) -> Option<Self> {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Self {
            profile: text("profile")?,
            namespace: text("namespace"),
            name: text("name"),
        })
    }
}

/// Returns the IDs of the profiles that are linked to the service account of a token.
pub(crate) fn linked_profiles(
    clusters: &[TrustedCluster],
    token: &str,
    now: u64,
) -> Result<HashSet<String>, ComputeRefusal> {
    let token = Unverified::parse(token).ok_or(ComputeRefusal::UnknownToken)?;
    let claims = &token.claims;
    let mut issuers = clusters
        .iter()
        .filter(|cluster| claims["iss"] == *cluster.issuer);
    let cluster = issuers.find(|cluster| cluster.has_signed(&token));
    let cluster = cluster.ok_or(ComputeRefusal::UnknownToken)?;
    let time = |name: &str| claims[name].as_u64().ok_or(ComputeRefusal::UnknownToken);
    let (issued, expires) = (time("iat")?, time("exp")?);
    if expires <= now {
        return Err(ComputeRefusal::ExpiredToken);
    }
    if issued > now + CLOCK_DIFFERENCE {
        return Err(ComputeRefusal::UnknownToken);
    }
    if !has_audience(claims) {
        return Err(ComputeRefusal::WrongAudience);
    }
    if expires.saturating_sub(issued) > MAX_LIFETIME {
        return Err(ComputeRefusal::LongLived);
    }
    let account = service_account(claims).ok_or(ComputeRefusal::UnknownToken)?;
    Ok(cluster.linked_to(account.0, account.1))
}

fn has_audience(claims: &Value) -> bool {
    match &claims["aud"] {
        Value::Array(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
        audience => audience == AUDIENCE,
    }
}

/// Returns namespace and name in the subject.
fn service_account(claims: &Value) -> Option<(&str, &str)> {
    let subject = claims["sub"].as_str()?;
    subject
        .strip_prefix("system:serviceaccount:")?
        .split_once(':')
}

/// The API server of a cluster, as far as it issues tokens.
#[derive(Debug)]
pub struct Cluster {
    /// The issuer in its tokens.
    pub issuer: String,
    key: SigningKey,
    key_identifier: String,
}

impl Cluster {
    /// Creates a cluster with a key of its own.
    pub fn create(issuer: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            key: SigningKey::new(&key).context("cannot create the key of a cluster")?,
            key_identifier: random::id(),
        })
    }

    /// Returns its public keys: a JSON Web Key Set.
    pub fn keys(&self) -> Value {
        json!({"keys": [self.key.to_jwk(&self.key_identifier)]})
    }

    /// Returns a token with these claims, and with its issuer if they name none.
    pub fn sign(&self, claims: &Value) -> String {
        let mut claims = claims.clone();
        if claims["iss"].is_null() {
            claims["iss"] = self.issuer.clone().into();
        }
        let header = json!({"alg": "ES256", "kid": self.key_identifier});
        self.key.sign(&header, &claims)
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::Emulator;
    use crate::clock::unix_now;
    use crate::wire;

    /// A token with RS256 of another program: `openssl dgst -sha256 -sign`, with its key as openssl prints it.
    const OF_OPENSSL: &str = include_str!("clusters/openssl.json");

    fn claims(changes: &Value) -> Value {
        let now = unix_now();
        let mut claims = json!({"aud": ["iam"], "iat": now, "exp": now + 3600, "sub": "system:serviceaccount:build:deployer"});
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims
    }

    #[test]
    fn a_token_of_a_known_cluster_is_exchanged_for_a_profile_that_is_linked() {
        let cloud = Emulator::start().expect("a port");
        let cluster = Cluster::create("https://cluster.example.com").expect("a key");
        let other = Cluster::create("https://cluster.example.com").expect("a key");
        cloud.accounts().add_cluster(&json!({"crn": "crn:cluster-1", "issuer": cluster.issuer, "keys": cluster.keys(), "links": [
            {"profile": "Profile-1", "namespace": "build", "name": "deployer"},
            {"profile": "Profile-2", "namespace": "test"},
        ]})).expect("a cluster");
        let now = unix_now();
        let (unknown, audience, linked) = (
            "Provided compute resource token is invalid.",
            "The audience of the compute resource token is not iam.",
            "The compute resource is not linked to the trusted profile.",
        );
        // The claims of one token with the signature of another.
        let other_claims = cluster.sign(&claims(
            &json!({"sub": "system:serviceaccount:build:default"}),
        ));
        let (signed, _) = other_claims.rsplit_once('.').expect("a signature");
        let token = cluster.sign(&claims(&json!({})));
        let (_, signature) = token.rsplit_once('.').expect("a signature");
        let forged = format!("{signed}.{signature}");
        for (token, profile, message) in [
            (cluster.sign(&claims(&json!({}))), "Profile-1", None),
            (
                cluster.sign(&claims(&json!({"aud": "iam"}))),
                "Profile-1",
                None,
            ),
            (
                cluster.sign(&claims(&json!({"sub": "system:serviceaccount:test:any"}))),
                "Profile-2",
                None,
            ),
            (cluster.sign(&claims(&json!({}))), "Profile-2", Some(linked)),
            (
                cluster.sign(&claims(
                    &json!({"sub": "system:serviceaccount:build:default"}),
                )),
                "Profile-1",
                Some(linked),
            ),
            (
                cluster.sign(&claims(
                    &json!({"sub": "system:serviceaccount:test:deployer"}),
                )),
                "Profile-1",
                Some(linked),
            ),
            (
                cluster.sign(&claims(&json!({"sub": "system:node:node-1"}))),
                "Profile-1",
                Some(unknown),
            ),
            (
                cluster.sign(&claims(&json!({"aud": ["https://kubernetes.default.svc"]}))),
                "Profile-1",
                Some(audience),
            ),
            (
                cluster.sign(&claims(&json!({"exp": now}))),
                "Profile-1",
                Some("Provided compute resource token is expired."),
            ),
            (
                cluster.sign(&claims(&json!({"exp": now + 7200}))),
                "Profile-1",
                Some("The compute resource token is valid for more than one hour."),
            ),
            (
                cluster.sign(&claims(&json!({"iat": now + 600}))),
                "Profile-1",
                Some(unknown),
            ),
            (
                cluster.sign(&claims(&json!({"iss": "https://other.example.com"}))),
                "Profile-1",
                Some(unknown),
            ),
            (other.sign(&claims(&json!({}))), "Profile-1", Some(unknown)),
            (forged, "Profile-1", Some(unknown)),
            ("a.b.c".to_owned(), "Profile-1", Some(unknown)),
        ] {
            let fields = [
                ("grant_type", "urn:ibm:params:oauth:grant-type:cr-token"),
                ("cr_token", &token),
                ("profile_id", profile),
            ];
            let (status, answer) = wire::exchange(&cloud, &fields, false);
            assert_eq!(answer["errorMessage"].as_str(), message, "{token}");
            assert_eq!(status, if message.is_some() { 400 } else { 200 });
        }
    }

    #[test]
    fn signatures_of_another_program_are_verified() {
        let example: Value = serde_json::from_str(OF_OPENSSL).expect("JSON");
        let token = example["token"].as_str().expect("a token");
        let cluster = TrustedCluster::from_json(&example["cluster"]).expect("a cluster");
        let linked = |token: &str| linked_profiles(slice::from_ref(&cluster), token, 1_800_000_000);
        let profiles = linked(token).expect("it is valid");
        assert!(profiles.contains("Profile-1"), "{profiles:?}");
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        assert!(linked(&format!("{signed}.A{}", &signature[1..])).is_err());
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        let keys = json!({"keys": []});
        for json in [
            json!({}),
            json!({"crn": "crn", "issuer": "x", "keys": [], "links": []}),
            json!({"crn": "crn", "issuer": "x", "keys": {"keys": [{"kty": "oct", "k": "eA"}]}, "links": []}),
            json!({"crn": "crn", "issuer": "x", "keys": keys}),
            json!({"crn": "crn", "issuer": "x", "keys": keys, "links": [{"namespace": "build"}]}),
            json!({"crn": "crn", "keys": keys, "links": []}),
        ] {
            assert!(TrustedCluster::from_json(&json).is_none(), "{json}");
        }
    }
}
