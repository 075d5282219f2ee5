//! JSON Web Tokens: signed with ES256, verified with ES256 and RS256.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::PublicKeyData as _;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use ring::signature::RsaPublicKeyComponents;
use ring::signature::UnparsedPublicKey;
use serde_json::Value;
use serde_json::json;

/// The first byte of a point on a curve that is written with both coordinates.
const UNCOMPRESSED: u8 = 4;

/// A token whose signature is not checked yet.
pub(crate) struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl<'t> Unverified<'t> {
    /// Returns the parts of a token, if it has the form of one.
    pub(crate) fn parse(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&decode(part)?).ok();
        Some(Self {
            signed,
            signature: decode(signature)?,
            header: json(header)?,
            claims: json(claims)?,
        })
    }

    /// Returns whether the signature is of this key.
    pub(crate) fn is_signed_with(&self, key: &PublicKey) -> bool {
        let (message, signature) = (self.signed.as_bytes(), &*self.signature);
        let verified = match (key, self.header["alg"].as_str()) {
            (PublicKey::P256(point), Some("ES256")) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (PublicKey::Rsa(key), Some("RS256")) => {
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}

/// A key that verifies signatures.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    P256(Vec<u8>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl PublicKey {
    /// Reads a JSON Web Key (RFC 7517) for RS256 or ES256.
    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        let part = |name: &str| decode(jwk[name].as_str()?);
        match jwk["kty"].as_str()? {
            "EC" if jwk["crv"] == "P-256" => {
                let point = [vec![UNCOMPRESSED], part("x")?, part("y")?];
                Some(Self::P256(point.concat()))
            }
            "RSA" => Some(Self::Rsa(RsaPublicKeyComponents {
                n: part("n")?,
                e: part("e")?,
            })),
            _ => None,
        }
    }
}

/// A key for ES256.
#[derive(Debug)]
pub(crate) struct SigningKey {
    key: EcdsaKeyPair,
    point: Vec<u8>,
}

impl SigningKey {
    /// Returns the key of a pair that rcgen made for P-256.
    pub(crate) fn new(pair: &rcgen::KeyPair) -> anyhow::Result<Self> {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::from_pkcs8(algorithm, &pair.serialize_der(), &random);
        let key = key.map_err(|_| anyhow::anyhow!("ring refuses the signing key of rcgen"))?;
        let point = pair.der_bytes().to_vec();
        Ok(Self { key, point })
    }

    /// Returns the token with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.expect("signing fails only without random numbers");
        format!("{signed}.{}", encode(signature))
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::P256(self.point.clone())
    }

    /// Returns the public key as a JSON Web Key with this identifier.
    pub(crate) fn to_jwk(&self, identifier: &str) -> Value {
        let (x, y) = self.point[1..].split_at(32);
        json!({"use": "sig", "kty": "EC", "kid": identifier, "alg": "ES256", "crv": "P-256", "x": encode(x), "y": encode(y)})
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
