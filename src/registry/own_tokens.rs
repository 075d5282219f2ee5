//! The registry tokens that this program makes for itself, and removes again.
//!
//! Each says in its description who made it: this program, for one identity, on
//! this machine. What says anything else is somebody else's and is left alone.

use std::time::Duration;

use crate::PROGRAM;
use crate::digest;
use crate::error::Result;
use crate::registry::api::RegistryApi;
use crate::registry::api::tokens::LIFETIME;
use crate::registry::api::tokens::Listed;
use crate::registry::api::tokens::NewToken;
use crate::registry::api::tokens::Token;
use crate::secret::Secret;
use crate::time::Clock;

/// How many tokens are removed whenever one is made: whoever asked for a credential
/// should not wait for a long clean-up.
const MAX_REMOVED: usize = 3;

/// The longest name of a machine that is written down, in characters.
const MAX_NAME: usize = 64;

/// What makes the tokens of one identity on one machine known again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark(String);

impl Mark {
    /// The mark of whoever is told by `parts` (the user's home directory, the
    /// identity's key) on the machine of this name. The parts are not given away.
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

    /// The description of its tokens.
    pub fn description(&self) -> &str {
        &self.0
    }
}

/// Makes a token that only pulls or also pushes, as whoever uses it may, for a day.
///
/// # Errors
/// See [`RegistryApi::make_token`].
pub fn make(api: &RegistryApi<'_>, mark: &Mark) -> Result<Token> {
    api.make_token(&NewToken {
        description: mark.description(),
        is_permanent: false,
        may_write: true,
    })
}

/// How long a token is good that was received just now. The registry says when it
/// ends by its own clock; where that can be no answer by ours, one of the two is
/// wrong, and a token lives for a day.
pub fn lifetime(token: &Token, clock: &dyn Clock) -> Duration {
    let left = token
        .expires_at
        .and_then(|end| end.checked_sub(clock.now()))
        .filter(|left| (1..=LIFETIME).contains(left));
    Duration::from_secs(left.unwrap_or(LIFETIME))
}

/// Removes tokens that were made before `token` and are used no more: those of the
/// same mark that were made at least half a life earlier, because by then each was
/// replaced. Not `replaced`, which somebody may have been given a moment ago.
///
/// Whatever goes wrong is no harm: they end by themselves.
pub fn remove_unused(api: &RegistryApi<'_>, mark: &Mark, token: &Token, replaced: Option<&Secret>) {
    let replaced = replaced.and_then(|value| Token::of(value.clone()).id);
    let listed = match api.tokens() {
        Ok(listed) => listed,
        Err(error) => {
            tracing::debug!(%error, "old registry tokens are left");
            return;
        }
    };
    for id in unused(&listed, mark, token, replaced.as_deref()) {
        match api.remove_token(id) {
            Ok(()) => tracing::debug!(id, "an old registry token is removed"),
            Err(error) => tracing::debug!(id, %error, "an old registry token is left"),
        }
    }
}

/// Removes every token of a mark that ends, because whoever it is of leaves.
///
/// # Errors
/// The list cannot be had, or the first token that could not be removed.
pub fn remove_all(api: &RegistryApi<'_>, mark: &Mark) -> Result<()> {
    let is_ours =
        |token: &&Listed| token.description == mark.description() && token.expires_at.is_some();
    let listed = api.tokens()?;
    let removed = listed.iter().filter(is_ours);
    let removed: Vec<Result<()>> = removed.map(|token| api.remove_token(&token.id)).collect();
    removed.into_iter().collect()
}

fn unused<'a>(
    listed: &'a [Listed],
    mark: &Mark,
    token: &Token,
    replaced: Option<&str>,
) -> Vec<&'a str> {
    let Some(end) = token.expires_at else {
        return Vec::new();
    };
    let is_unused = |other: &&Listed| {
        other.description == mark.description()
            && Some(&other.id) != token.id.as_ref()
            && Some(&*other.id) != replaced
            && other
                .expires_at
                .is_some_and(|others| others + LIFETIME / 2 <= end)
    };
    let unused = listed.iter().filter(is_unused);
    unused.take(MAX_REMOVED).map(|other| &*other.id).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::iam::jwt;
    use crate::time::fake::FakeClock;

    const NOW: u64 = 1_800_000_000;

    fn mark() -> Mark {
        Mark::new("laptop", &["/home/me", "key"])
    }

    fn token(id: &str, expires_at: u64) -> Token {
        Token::of(Secret::new(jwt::unsigned(
            &json!({"jti": id, "exp": expires_at}),
        )))
    }

    fn listed(id: &str, expires_at: Option<u64>) -> Listed {
        Listed {
            id: id.into(),
            description: mark().description().into(),
            expires_at,
            is_revoked: false,
            may_write: true,
        }
    }

    #[test]
    fn a_mark_tells_machines_users_and_identities_apart() {
        let text = mark().description().to_owned();
        assert!(
            text.starts_with("made by docker-credential-icr on laptop ("),
            "{text}"
        );
        assert!(!text.contains("/home/me"), "{text}");
        assert_eq!(mark(), Mark::new("laptop", &["/home/me", "key"]));
        for other in [
            Mark::new("desktop", &["/home/me", "key"]),
            Mark::new("laptop", &["/home/you", "key"]),
            Mark::new("laptop", &["/home/me", "other"]),
        ] {
            assert_ne!(mark(), other);
        }
        let odd = Mark::new("a\n\u{1b}b é", &[]);
        assert!(odd.description().contains(" on ab ("), "{odd:?}");
    }

    #[test]
    fn only_our_own_old_tokens_are_removed_and_a_few_at_a_time() {
        let end = NOW + LIFETIME;
        let new = token("new", end);
        let old = end - LIFETIME / 2;
        let of_others = Listed {
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
        assert_eq!(unused(&tokens, &mark(), &new, replaced), ["old", "ended"]);
        let more = ["a", "b", "c"].map(|id| listed(id, Some(NOW)));
        tokens.extend(more);
        assert_eq!(unused(&tokens, &mark(), &new, replaced).len(), MAX_REMOVED);
        let opaque = Token::of(Secret::new("opaque"));
        assert!(unused(&tokens, &mark(), &opaque, None).is_empty());
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_where_that_can_be() {
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
