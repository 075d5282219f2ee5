//! Tokens that docker-registry accepts: JWTs signed with ES256 that carry their own certificate (`x5c`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::KeyPair;
use serde_json::Value;
use serde_json::json;

use crate::jws::SigningKey;
use crate::jws::Unverified;

/// The key and certificate behind the registry's tokens.
#[derive(Debug)]
pub(crate) struct Signer {
    /// Self-signed: docker-registry accepts a signing certificate that is itself in its `rootcertbundle`.
    certificate: rcgen::Certificate,
    certificate_pem: String,
    key: SigningKey,
}

impl Signer {
    pub(crate) fn create() -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "icr-emulator token signing");
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate,
            key: SigningKey::new(&key)?,
        })
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Returns the JWT with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [BASE64_STANDARD.encode(self.certificate.der())]});
        self.key.sign(&header, claims)
    }

    /// Returns the claims of a JWT that has this signer's signature.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let token = Unverified::parse(token)?;
        let signed = token.is_signed_with(&self.key.public_key());
        signed.then_some(token.claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use ring::signature::ECDSA_P256_SHA256_FIXED;
    use ring::signature::UnparsedPublicKey;

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
