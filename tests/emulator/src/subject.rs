//! Identities: a person, a service ID or a trusted profile of an account.

/// An identity of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// IAM's name for it: `IBMid-1`, `iam-ServiceId-1`, `iam-Profile-1`.
    pub iam_id: String,
    /// The account it belongs to.
    pub account: String,
}

impl Subject {
    /// Creates the person `IBMid-{id}` of `account-1`.
    pub fn user(id: &str) -> Self {
        Self::user_of(id, FIRST_ACCOUNT)
    }

    /// Creates the person `IBMid-{id}` of `account`.
    pub fn user_of(id: &str, account: &str) -> Self {
        Self {
            iam_id: format!("IBMid-{id}"),
            account: account.to_owned(),
        }
    }

    /// Creates the service ID `iam-ServiceId-{id}` of `account-1`.
    pub fn service_id(id: &str) -> Self {
        Self::service_id_of(id, FIRST_ACCOUNT)
    }

    /// Creates the service ID `iam-ServiceId-{id}` of `account`.
    pub fn service_id_of(id: &str, account: &str) -> Self {
        Self {
            iam_id: format!("iam-ServiceId-{id}"),
            account: account.to_owned(),
        }
    }

    pub(crate) fn is_service_id(&self) -> bool {
        self.iam_id.starts_with("iam-ServiceId-")
    }

    /// Returns `sub_type` in its tokens; persons have none.
    pub(crate) fn sub_type(&self) -> Option<&'static str> {
        let kinds = [("iam-ServiceId-", "ServiceId"), ("iam-Profile-", "Profile")];
        let kind = kinds
            .iter()
            .find(|(prefix, _)| self.iam_id.starts_with(prefix));
        kind.map(|(_, sub_type)| *sub_type)
    }

    /// Returns realm and identifier, the parts of the IAM ID: `IBMid` and `1`, `iam` and `ServiceId-1`.
    pub(crate) fn realm_and_identifier(&self) -> (&str, &str) {
        self.iam_id.split_once('-').unwrap_or((&self.iam_id, ""))
    }
}

/// The account of identities for which none is given.
pub(crate) const FIRST_ACCOUNT: &str = "account-1";
