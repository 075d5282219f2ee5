//! Fingerprints of secrets, and digests of files.

use ring::digest::Context;
use ring::digest::SHA256;

/// Returns the first 128 bits of the SHA-256 of the parts in hexadecimal. Each part is
/// preceded by its length, so that different lists have different digests.
///
/// The secrets are API keys and tokens, whose entropy makes guessing impossible.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns the SHA-256 of a file's content in hexadecimal.
pub fn of_content(content: &[u8]) -> String {
    let digest = ring::digest::digest(&SHA256, content);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_every_part_and_its_boundaries() {
        let name = fingerprint(&["a", "bc"]);
        assert_eq!(name.len(), 32);
        assert_eq!(name, fingerprint(&["a", "bc"]));
        for other in [
            &["ab", "c"][..],
            &["a", "b", "c"],
            &["a", "bd"],
            &["abc"],
            &[],
        ] {
            assert_ne!(name, fingerprint(other));
        }
    }
}
