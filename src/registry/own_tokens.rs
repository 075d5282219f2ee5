//! The registry tokens that this program creates for itself, and deletes again.
//!
//! The description of each contains an [`OwnerTag`]: this program, on this machine, for
//! one identity. Tokens with any other description are left alone.

use std::time::Duration;

use crate::PROGRAM;
use crate::digest;
use crate::error::Result;
use crate::registry::api::RegistryApi;
use crate::registry::api::tokens::LIFETIME;
use crate::registry::api::tokens::ListedToken;
use crate::registry::api::tokens::NewToken;
use crate::registry::api::tokens::Token;
use crate::secret::Secret;
use crate::time::Clock;

/// How many stale tokens are deleted after one is created, so that the client does not
/// wait for a long cleanup.
const MAX_DELETED: usize = 3;

/// The length limit of a machine's name, in characters.
const MAX_NAME: usize = 64;

/// The description of the tokens of one identity on one machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnerTag(String);

impl OwnerTag {
    /// Creates the tag for the user and identity in `parts` (the home directory, the
    /// identity's key) on this machine. The parts are not readable in it.
    pub fn new(machine_name: &str, parts: &[&str]) -> Self {
        let mut all = vec![machine_name];
        all.extend(parts);
        let digest = digest::fingerprint(&all);
        let name: String = machine_name
            .chars()
            .filter(|character| character.is_ascii_alphanumeric() || "-_.".contains(*character))
            .take(MAX_NAME)
            .collect();
        Self(format!("made by {PROGRAM} on {name} ({})", &digest[..12]))
    }

    /// Returns the description of its tokens.
    pub fn description(&self) -> &str {
        &self.0
    }
}

/// Creates a token that is valid for a day and may pull and push what its identity may.
///
/// # Errors
/// See [`RegistryApi::create_token`].
pub fn create(api: &RegistryApi<'_>, tag: &OwnerTag) -> Result<Token> {
    api.create_token(&NewToken {
        description: tag.description(),
        is_permanent: false,
        may_write: true,
    })
}

/// Returns the lifetime of a token that was just received. If its expiry is impossible by
/// this machine's clock, one of the two clocks is wrong; the lifetime is then a day.
pub fn lifetime(token: &Token, clock: &dyn Clock) -> Duration {
    let left = token
        .expires_at
        .and_then(|end| end.checked_sub(clock.now()))
        .filter(|left| (1..=LIFETIME).contains(left));
    Duration::from_secs(left.unwrap_or(LIFETIME))
}

/// Deletes stale tokens: those with the same tag that are at least half a lifetime older
/// than `token`, because each was replaced by then; but not `replaced`, which a client may
/// have received a moment ago.
///
/// Errors are ignored, because the tokens expire anyway.
pub fn delete_stale(
    api: &RegistryApi<'_>,
    tag: &OwnerTag,
    token: &Token,
    replaced: Option<&Secret>,
) {
    let replaced = replaced.and_then(|value| Token::of(value.clone()).id);
    let listed = match api.tokens() {
        Ok(listed) => listed,
        Err(error) => {
            tracing::debug!(%error, "cannot list stale registry tokens");
            return;
        }
    };
    for id in stale(&listed, tag, token, replaced.as_deref()) {
        match api.delete_token(id) {
            Ok(()) => tracing::debug!(id, "stale registry token deleted"),
            Err(error) => tracing::debug!(id, %error, "cannot delete a stale registry token"),
        }
    }
}

/// Deletes all tokens with a tag that expire, for an identity that logs out.
///
/// # Errors
/// The tokens cannot be listed, or the first one that cannot be deleted.
pub fn delete_all(api: &RegistryApi<'_>, tag: &OwnerTag) -> Result<()> {
    let is_ours =
        |token: &&ListedToken| token.description == tag.description() && token.expires_at.is_some();
    let listed = api.tokens()?;
    let removed = listed.iter().filter(is_ours);
    let removed: Vec<Result<()>> = removed.map(|token| api.delete_token(&token.id)).collect();
    removed.into_iter().collect()
}

fn stale<'a>(
    listed: &'a [ListedToken],
    tag: &OwnerTag,
    token: &Token,
    replaced: Option<&str>,
) -> Vec<&'a str> {
    let Some(end) = token.expires_at else {
        return Vec::new();
    };
    let is_stale = |other: &&ListedToken| {
        other.description == tag.description()
            && Some(&other.id) != token.id.as_ref()
            && Some(&*other.id) != replaced
            && other
                .expires_at
                .is_some_and(|others| others + LIFETIME / 2 <= end)
    };
    let stale = listed.iter().filter(is_stale);
    stale.take(MAX_DELETED).map(|other| &*other.id).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::iam::jwt;
    use crate::time::fake::FakeClock;

    const NOW: u64 = 1_800_000_000;

    fn tag() -> OwnerTag {
        OwnerTag::new("laptop", &["/home/me", "key"])
    }

    fn token(id: &str, expires_at: u64) -> Token {
        Token::of(Secret::new(jwt::unsigned(
            &json!({"jti": id, "exp": expires_at}),
        )))
    }

    fn listed(id: &str, expires_at: Option<u64>) -> ListedToken {
        ListedToken {
            id: id.into(),
            description: tag().description().into(),
            expires_at,
            is_revoked: false,
            may_write: true,
        }
    }

    #[test]
    fn a_tag_differs_by_machine_user_and_identity() {
        let text = tag().description().to_owned();
        assert!(
            text.starts_with("made by docker-credential-icr on laptop ("),
            "{text}"
        );
        assert!(!text.contains("/home/me"), "{text}");
        assert_eq!(tag(), OwnerTag::new("laptop", &["/home/me", "key"]));
        for other in [
            OwnerTag::new("desktop", &["/home/me", "key"]),
            OwnerTag::new("laptop", &["/home/you", "key"]),
            OwnerTag::new("laptop", &["/home/me", "other"]),
        ] {
            assert_ne!(tag(), other);
        }
        let tag = OwnerTag::new("a\n\u{1b}b é", &[]);
        assert!(tag.description().contains(" on ab ("), "{tag:?}");
    }

    #[test]
    fn only_stale_tokens_with_the_tag_are_deleted_a_few_at_a_time() {
        let end = NOW + LIFETIME;
        let new = token("new", end);
        let old = end - LIFETIME / 2;
        let of_others = ListedToken {
            description: "made by docker-credential-icr on laptop".into(),
            ..listed("others", Some(NOW - 5))
        };
        let mut tokens = vec![
            of_others,
            listed("new", Some(end)),
            listed("just-replaced", Some(old)),
            listed("young", Some(old + 1)),
            listed("lasting", None),
            listed("old", Some(old)),
            listed("ended", Some(NOW - 5)),
        ];
        let replaced = Some("just-replaced");
        assert_eq!(stale(&tokens, &tag(), &new, replaced), ["old", "ended"]);
        let more = ["a", "b", "c"].map(|id| listed(id, Some(NOW)));
        tokens.extend(more);
        assert_eq!(stale(&tokens, &tag(), &new, replaced).len(), MAX_DELETED);
        let opaque = Token::of(Secret::new("opaque"));
        assert!(stale(&tokens, &tag(), &opaque, None).is_empty());
    }

    #[test]
    fn an_impossible_expiry_means_the_usual_lifetime() {
        let clock = FakeClock::at(NOW);
        for (token, seconds) in [
            (token("x", NOW + 600), 600),
            (token("x", NOW + LIFETIME), LIFETIME),
            (token("x", NOW + LIFETIME + 1), LIFETIME),
            (token("x", NOW - 1), LIFETIME),
            (Token::of(Secret::new("opaque")), LIFETIME),
        ] {
            assert_eq!(lifetime(&token, &clock), Duration::from_secs(seconds));
        }
    }
}
