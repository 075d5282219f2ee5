//! Trusted profiles, and the identities that may assume them.

use std::collections::HashSet;

use crate::subject::FIRST_ACCOUNT;
use crate::subject::Subject;

/// A trusted profile of an account.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) name: String,
    trusted: HashSet<String>,
}

impl Profile {
    /// Creates the profile `id` (`Profile-1`) of `account-1`, whose name is its ID and which trusts no identity.
    pub fn new(id: &str) -> Self {
        Self {
            account: FIRST_ACCOUNT.to_owned(),
            id: id.to_owned(),
            name: id.to_owned(),
            trusted: HashSet::new(),
        }
    }

    /// Moves it to another account.
    pub fn of_account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// Sets its name, unique in its account.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Also lets the identities with these IAM IDs (`IBMid-1`, `iam-ServiceId-1`) assume it.
    pub fn trusting(mut self, iam_ids: &[&str]) -> Self {
        let iam_ids = iam_ids.iter().map(|iam_id| (*iam_id).to_owned());
        self.trusted.extend(iam_ids);
        self
    }

    /// Returns its cloud resource name.
    pub fn crn(&self) -> String {
        let Self { account, id, .. } = self;
        format!("crn:v1:bluemix:public:iam-identity::a/{account}::profile:{id}")
    }

    pub(crate) fn trusts(&self, subject: &Subject) -> bool {
        self.trusted.contains(&subject.iam_id)
    }

    /// Returns the identity of tokens for this profile.
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            iam_id: format!("iam-{}", self.id),
            account: self.account.clone(),
        }
    }
}

/// How a request names a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProfileName<'r> {
    Crn(&'r str),
    Id(&'r str),
    /// A name in this account; `None` where the rest of the request identifies the account.
    Name(&'r str, Option<&'r str>),
}

impl ProfileName<'_> {
    pub(crate) fn means(self, profile: &Profile) -> bool {
        match self {
            Self::Crn(crn) => profile.crn() == crn,
            Self::Id(id) => profile.id == id,
            Self::Name(name, account) => {
                profile.name == name && account.is_none_or(|account| profile.account == account)
            }
        }
    }
}
