//! Tokens that docker-registry accepts: JWTs signed with ES256 that carry their own certificate (`x5c`).

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair as _;
use ring::signature::UnparsedPublicKey;
use serde_json::Value;
use serde_json::json;

/// The key and certificate behind the registry's tokens.
#[derive(Debug)]
pub(crate) struct Signer {
    /// Self-signed: docker-registry accepts a signing certificate that is itself in its `rootcertbundle`.
    certificate: rcgen::Certificate,
    certificate_pem: String,
    key: EcdsaKeyPair,
}

impl Signer {
    pub(crate) fn create() -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "icr-emulator token signing");
        let certificate = params.self_signed(&key)?;
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &key.serialize_der(),
            &SystemRandom::new(),
        )
        .ok()
        .context("ring refuses the signing key that rcgen made")?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate,
            key,
        })
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Returns the JWT with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [BASE64_STANDARD.encode(self.certificate.der())]});
        let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("signing fails only without random numbers");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns the claims of a JWT that has this signer's signature.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_token_has_a_signature_of_the_certificate_in_it() {
        let signer = Signer::create().expect("keys");
        let token = signer.sign(&json!({"iss": "icr-emulator"}));
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let header = BASE64_URL_SAFE_NO_PAD
            .decode(signed.split('.').next().expect("a header"))
            .expect("base64url");
        let header: Value = serde_json::from_slice(&header).expect("JSON header");
        let certificate = BASE64_STANDARD
            .decode(header["x5c"][0].as_str().expect("x5c"))
            .expect("base64");
        // The fixed start of a P-256 SubjectPublicKeyInfo ends with this curve identifier and bit string header; the point follows.
        let marker = [
            0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let start = certificate
            .windows(marker.len())
            .position(|window| window == marker)
            .expect("a P-256 key")
            + marker.len();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &certificate[start..start + 65])
            .verify(signed.as_bytes(), &signature)
            .expect("the registry will verify the same");
        assert!(
            signer
                .certificate_pem()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
    }
}
