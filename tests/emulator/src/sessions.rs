//! Which refresh tokens still work? Each belongs to a session, and hands it on to the token that replaces it.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::random;
use crate::subject::Subject;

/// All refresh tokens ever issued.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    invalidated: HashSet<String>,
    tokens: HashMap<String, RefreshToken>,
}

/// A refresh token as its owner gets it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) refresh_token: String,
}

/// Why a refresh token is not exchanged.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum RefreshRefusal {
    Expired,
    /// The session of this ID was ended.
    Invalidated(String),
    Unknown,
}

impl Sessions {
    /// Opens a session with this refresh token.
    pub(crate) fn open(&mut self, refresh_token: &str, subject: Subject) -> Session {
        let id = format!("C-{}", random::id());
        let token = RefreshToken {
            session: id.clone(),
            state: State::Living,
            subject,
        };
        self.tokens.insert(refresh_token.to_owned(), token);
        Session {
            id,
            refresh_token: refresh_token.to_owned(),
        }
    }

    /// Lets the token reach the end of its life.
    pub(crate) fn expire(&mut self, refresh_token: &str) {
        if let Some(token) = self.tokens.get_mut(refresh_token) {
            token.state = State::Expired;
        }
    }

    /// Ends the session that the token belongs or belonged to; false if nobody knows the token.
    pub(crate) fn invalidate(&mut self, refresh_token: &str) -> bool {
        let token = self.tokens.get(refresh_token);
        token.is_some_and(|token| {
            self.invalidated.insert(token.session.clone());
            true
        })
    }

    /// Whose token is it, if it works?
    pub(crate) fn owner(&self, refresh_token: &str) -> Result<&Subject, RefreshRefusal> {
        self.living(refresh_token).map(|token| &token.subject)
    }

    /// Uses a token: whose it was, and the session with the token to use next time, which is another one if they rotate.
    pub(crate) fn redeem(
        &mut self,
        refresh_token: &str,
        rotation: bool,
    ) -> Result<(Subject, Session), RefreshRefusal> {
        let RefreshToken {
            session, subject, ..
        } = self.living(refresh_token)?.clone();
        let mut next = refresh_token.to_owned();
        if rotation {
            next = new_token();
            let replacement = RefreshToken {
                session: session.clone(),
                state: State::Living,
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

    fn living(&self, refresh_token: &str) -> Result<&RefreshToken, RefreshRefusal> {
        let token = self.tokens.get(refresh_token);
        let token = token.ok_or(RefreshRefusal::Unknown)?;
        if self.invalidated.contains(&token.session) {
            return Err(RefreshRefusal::Invalidated(token.session.clone()));
        }
        match token.state {
            State::Living => Ok(token),
            State::Expired => Err(RefreshRefusal::Expired),
            State::Spent => Err(RefreshRefusal::Unknown),
        }
    }
}

/// A refresh token that nobody had before, in IBM's form and about its length.
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
    Living,
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
            Err(RefreshRefusal::Unknown)
        );
        sessions.owner(&session.refresh_token).expect("it lives");
        assert!(sessions.invalidate("first"), "spent, but known");
        for token in ["first", &session.refresh_token] {
            let refusal = RefreshRefusal::Invalidated(opened.id.clone());
            assert_eq!(sessions.redeem(token, true).map(drop), Err(refusal));
        }
        sessions.open("second", Subject::user("1"));
        sessions.owner("second").expect("another session");
        assert!(!sessions.invalidate("never"));
    }
}
