//! Random secrets, and how they are shown.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;

/// Returns a random API key that looks like IBM's: 44 characters.
pub(crate) fn api_key() -> anyhow::Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random::<33>()?))
}

/// Returns a unique name.
pub(crate) fn unique_name() -> anyhow::Result<String> {
    let bytes = random::<6>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns enough of a secret to recognize it.
pub(crate) fn shortened(secret: &str) -> String {
    let characters: Vec<char> = secret.chars().collect();
    match characters.as_slice() {
        [start @ .., _, _, _, _] if start.len() >= 24 => {
            let (first, last) = (&characters[..12], &characters[characters.len() - 4..]);
            first.iter().chain(&['…']).chain(last).collect()
        }
        _ => "…".to_owned(),
    }
}

fn random<const COUNT: usize>() -> anyhow::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    SystemRandom::new()
        .fill(&mut bytes)
        .ok()
        .context("the operating system gives no random bytes")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_a_secret_is_not_shown() {
        let key = api_key().expect("random bytes");
        assert_eq!(key.len(), 44);
        let shown = shortened(&key);
        assert_eq!(shown, format!("{}…{}", &key[..12], &key[40..]));
        assert_eq!(shortened("short"), "…");
    }
}
