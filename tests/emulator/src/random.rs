//! Random identifiers and secrets.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;

/// Returns `count` random bytes.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}

/// Returns `count` random bytes as base64url text.
pub(crate) fn text(count: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes(count))
}

/// Returns a random identifier in lower-case hexadecimal digits.
pub(crate) fn id() -> String {
    bytes(16).iter().map(|byte| format!("{byte:02x}")).collect()
}
