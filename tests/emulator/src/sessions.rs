//! Refresh tokens and their sessions. A token that replaces another one belongs to the same session.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::random;
use crate::subject::Subject;

/// All refresh tokens that were issued.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    invalidated: HashSet<String>,
    tokens: HashMap<String, RefreshToken>,
}

/// A refresh token as it is issued.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) refresh_token: String,
}

/// Why a refresh token is not exchanged.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum RefreshRejection {
    Expired,
    /// The session of this ID was revoked.
    Invalidated(String),
    Unknown,
}

impl Sessions {
    /// Creates a session with this refresh token.
    pub(crate) fn open(&mut self, refresh_token: &str, subject: Subject) -> Session {
        let id = format!("C-{}", random::id());
        let token = RefreshToken {
            session: id.clone(),
            state: State::Valid,
            subject,
        };
        self.tokens.insert(refresh_token.to_owned(), token);
        Session {
            id,
            refresh_token: refresh_token.to_owned(),
        }
    }

    /// Makes the token expired.
    pub(crate) fn expire(&mut self, refresh_token: &str) {
        if let Some(token) = self.tokens.get_mut(refresh_token) {
            token.state = State::Expired;
        }
    }

    /// Revokes the session of a current or earlier token; returns false if there is no such token.
    pub(crate) fn invalidate(&mut self, refresh_token: &str) -> bool {
        let token = self.tokens.get(refresh_token);
        token.is_some_and(|token| {
            self.invalidated.insert(token.session.clone());
            true
        })
    }

    /// Returns the owner of a valid token.
    pub(crate) fn owner(&self, refresh_token: &str) -> Result<&Subject, RefreshRejection> {
        self.valid(refresh_token).map(|token| &token.subject)
    }

    /// Uses a token: returns its owner, and the session with the token for the next time (another one if tokens rotate).
    pub(crate) fn redeem(
        &mut self,
        refresh_token: &str,
        rotation: bool,
    ) -> Result<(Subject, Session), RefreshRejection> {
        let RefreshToken {
            session, subject, ..
        } = self.valid(refresh_token)?.clone();
        let mut next = refresh_token.to_owned();
        if rotation {
            next = new_token();
            let replacement = RefreshToken {
                session: session.clone(),
                state: State::Valid,
                subject: subject.clone(),
            };
            self.tokens.insert(next.clone(), replacement);
            if let Some(spent) = self.tokens.get_mut(refresh_token) {
                spent.state = State::Spent;
            }
        }
        let session = Session {
            id: session,
            refresh_token: next,
        };
        Ok((subject, session))
    }

    fn valid(&self, refresh_token: &str) -> Result<&RefreshToken, RefreshRejection> {
        let token = self.tokens.get(refresh_token);
        let token = token.ok_or(RefreshRejection::Unknown)?;
        if self.invalidated.contains(&token.session) {
            return Err(RefreshRejection::Invalidated(token.session.clone()));
        }
        match token.state {
            State::Valid => Ok(token),
            State::Expired => Err(RefreshRejection::Expired),
            State::Spent => Err(RefreshRejection::Unknown),
        }
    }
}

/// Returns a new refresh token in IBM's form and of about its length.
pub(crate) fn new_token() -> String {
    format!("OKA{}", random::text(320))
}

#[derive(Clone, Debug)]
struct RefreshToken {
    session: String,
    state: State,
    subject: Subject,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Expired,
    Valid,
    /// Replaced by another one.
    Spent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_all_its_tokens() {
        let mut sessions = Sessions::default();
        let opened = sessions.open("first", Subject::user("1"));
        let (_, session) = sessions.redeem("first", true).expect("it lives");
        assert_eq!(session.id, opened.id);
        assert_eq!(
            sessions.redeem("first", true).map(drop),
            Err(RefreshRejection::Unknown)
        );
        sessions.owner(&session.refresh_token).expect("it lives");
        assert!(sessions.invalidate("first"), "spent, but known");
        for token in ["first", &session.refresh_token] {
            let rejection = RefreshRejection::Invalidated(opened.id.clone());
            assert_eq!(sessions.redeem(token, true).map(drop), Err(rejection));
        }
        sessions.open("second", Subject::user("1"));
        sessions.owner("second").expect("another session");
        assert!(!sessions.invalidate("never"));
    }
}
