//! Encryption of records that others can access but must neither read nor swap.

use ring::aead::AES_256_GCM;
use ring::aead::Aad;
use ring::aead::LessSafeKey;
use ring::aead::NONCE_LEN;
use ring::aead::Nonce;
use ring::aead::UnboundKey;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The length of a seal's key, in bytes.
pub const KEY_LENGTH: usize = 32;

/// The bytes of a seal's key.
pub type KeyBytes = Zeroizing<[u8; KEY_LENGTH]>;

/// The first byte of a sealed record: the version of its format. No text begins with it.
const VERSION: u8 = 1;

/// A key that seals records with AES-256-GCM. A sealed record consists of the version, a
/// random nonce of 12 bytes, the ciphertext and its tag.
pub struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Seal")
    }
}

impl Seal {
    /// Creates a seal from its key.
    pub fn new(key: &[u8; KEY_LENGTH]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Returns the sealed record of a secret, which can be opened with this name only. The
    /// nonce must be random and used once.
    pub fn seal(&self, name: &str, secret: &Secret, nonce: [u8; NONCE_LEN]) -> Option<Vec<u8>> {
        let mut text = Zeroizing::new(secret.expose().as_bytes().to_vec());
        let aad = Aad::from(name.as_bytes());
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .ok()?;
        Some([&[VERSION], &nonce[..], &text, tag.as_ref()].concat())
    }

    /// Returns the secret in a record, which is decrypted in place and overwritten; `None` if it
    /// was sealed with another key or name.
    pub fn open(&self, name: &str, record: &mut [u8]) -> Option<Secret> {
        let (version, rest) = record.split_first_mut()?;
        let (nonce, ciphertext) = rest.split_at_mut_checked(NONCE_LEN)?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(name.as_bytes());
        let text = self.0.open_in_place(nonce, aad, ciphertext).ok()?;
        let secret = str::from_utf8(text).ok().map(Secret::new);
        text.zeroize();
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

    fn seal(byte: u8) -> Seal {
        Seal::new(&[byte; KEY_LENGTH]).unwrap()
    }

    #[test]
    fn a_record_opens_with_its_key_and_name_only() {
        let secret = Secret::new("hunter2");
        let mut record = seal(1).seal("login:a", &secret, NONCE).unwrap();
        assert!(!record.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(seal(1).open("login:a", &mut record.clone()), Some(secret));
        assert_eq!(seal(1).open("login:b", &mut record.clone()), None);
        assert_eq!(seal(2).open("login:a", &mut record), None);
    }

    #[test]
    fn a_changed_record_does_not_open() {
        let record = seal(1).seal("a", &Secret::new("text"), NONCE).unwrap();
        for index in 0..record.len() {
            let mut changed = record.clone();
            changed[index] ^= 1;
            assert_eq!(seal(1).open("a", &mut changed), None, "byte {index}");
            let mut truncated = record[..index].to_vec();
            assert_eq!(seal(1).open("a", &mut truncated), None, "{index} bytes");
        }
        for text in ["", "-", "{\"token\":{}}"] {
            assert_eq!(seal(1).open("a", &mut Vec::from(text)), None, "{text}");
        }
    }

    #[test]
    fn an_empty_secret_can_be_sealed() {
        let mut record = seal(1).seal("a", &Secret::new(""), NONCE).unwrap();
        assert_eq!(seal(1).open("a", &mut record), Some(Secret::new("")));
    }

    #[test]
    fn its_debug_output_has_no_key() {
        assert_eq!(format!("{:?}", seal(b'k')), "Seal");
    }
}
