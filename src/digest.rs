//! Names for secrets that give nothing of them away.

use ring::digest::Context;
use ring::digest::SHA256;

/// The first 128 bits of the SHA-256 of the parts, each preceded by its length
/// (so that no two lists of parts run together), in hexadecimal.
///
/// What goes in has far more entropy than anybody can try: API keys and tokens.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_depends_on_every_part_and_on_where_they_end() {
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
