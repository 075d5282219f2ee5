//! [`Owner`]: the identity that an access token belongs to, for display. Signatures are
//! not verified, so no decision may depend on it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::error::one_line;
use crate::iam::jwt;
use crate::secret::Secret;

/// The length limit of each part, in characters.
const MAX_LENGTH: usize = 200;

/// The identity that an access token belongs to. Not secret; stored with a login.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// Its IAM ID: `IBMid-…`, `iam-ServiceId-…` or `iam-Profile-…`.
    pub iam_id: String,
    /// The account ID of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its kind.
    pub kind: OwnerKind,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its email address, if it is a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// The kind of an identity.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerKind {
    /// A trusted profile.
    Profile,
    /// A service ID.
    ServiceId,
    /// A user.
    User,
}

/// The claims (`ibm-cloud-cli-sdk`, `core_config/iam_token.go`).
#[derive(Deserialize)]
struct Claims {
    iam_id: String,
    sub_type: Option<String>,
    name: Option<String>,
    email: Option<String>,
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    bss: Option<String>,
}

impl Owner {
    /// Returns the owner of an access token, with or without the prefix `Bearer`; `None`
    /// if it is not issued by IAM.
    pub fn of(access_token: &Secret) -> Option<Self> {
        let token = access_token.expose();
        let token = token.strip_prefix("Bearer ").unwrap_or(token);
        let claims: Claims = jwt::claims(token)?;
        let clean = |text: &String| one_line(text, MAX_LENGTH);
        let part = |text: Option<String>| text.as_ref().map(clean).filter(|text| !text.is_empty());
        let iam_id = part(Some(claims.iam_id))?;
        Some(Self {
            kind: OwnerKind::of(&iam_id, claims.sub_type.as_deref()),
            iam_id,
            account: part(claims.account.and_then(|account| account.bss)),
            name: part(claims.name),
            email: part(claims.email),
        })
    }

    /// Returns whether both are the same identity in the same account.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.iam_id == other.iam_id && self.account == other.account
    }
}

impl OwnerKind {
    fn of(iam_id: &str, sub_type: Option<&str>) -> Self {
        match sub_type {
            Some("ServiceId") => Self::ServiceId,
            Some("Profile") => Self::Profile,
            _ if iam_id.starts_with("iam-ServiceId-") => Self::ServiceId,
            _ if iam_id.starts_with("iam-Profile-") => Self::Profile,
            _ => Self::User,
        }
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Profile => "trusted profile",
            Self::ServiceId => "service ID",
            Self::User => "user",
        })
    }
}

impl Owner {
    /// Returns its kind, name and IAM ID, without the account: `user me@example.com (IBMid-1)`.
    pub fn identity(&self) -> String {
        match self.own_name() {
            Some(name) => format!("{} {name} ({})", self.kind, self.iam_id),
            None => format!("{} {}", self.kind, self.iam_id),
        }
    }

    /// Returns its name, or else its IAM ID: `me@example.com`, `service ID builder`.
    pub fn short_identity(&self) -> String {
        match (self.own_name(), self.kind) {
            (Some(name), OwnerKind::User) => name.clone(),
            (Some(name), kind) => format!("{kind} {name}"),
            (None, _) => self.iam_id.clone(),
        }
    }

    fn own_name(&self) -> Option<&String> {
        match self.kind {
            OwnerKind::User => self.email.as_ref().or(self.name.as_ref()),
            OwnerKind::Profile | OwnerKind::ServiceId => self.name.as_ref(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.identity())?;
        match &self.account {
            Some(account) => write!(formatter, " of account {account}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    fn owner(claims: &Value) -> Option<Owner> {
        Owner::of(&Secret::new(jwt::unsigned(claims)))
    }

    #[test]
    fn an_owner_is_shown_by_kind_and_name() {
        for (claims, kind, text) in [
            (
                json!({"iam_id": "IBMid-1", "name": "A B", "email": "a@b.c", "account": {"bss": "x", "valid": true}, "exp": 1}),
                OwnerKind::User,
                "user a@b.c (IBMid-1) of account x",
            ),
            (
                json!({"iam_id": "IBMid-1", "name": "A B"}),
                OwnerKind::User,
                "user A B (IBMid-1)",
            ),
            (
                json!({"iam_id": "iam-ServiceId-1", "sub_type": "ServiceId", "name": "ci", "account": {"bss": "x"}}),
                OwnerKind::ServiceId,
                "service ID ci (iam-ServiceId-1) of account x",
            ),
            (
                json!({"iam_id": "iam-ServiceId-1", "account": {}}),
                OwnerKind::ServiceId,
                "service ID iam-ServiceId-1",
            ),
            (
                json!({"iam_id": "iam-Profile-1", "sub_type": "Profile", "name": "builds", "email": "a@b.c"}),
                OwnerKind::Profile,
                "trusted profile builds (iam-Profile-1)",
            ),
            (
                json!({"iam_id": "iam-Profile-1", "name": ""}),
                OwnerKind::Profile,
                "trusted profile iam-Profile-1",
            ),
        ] {
            let owner = owner(&claims).unwrap();
            assert_eq!(owner.kind, kind);
            assert_eq!(owner.to_string(), text);
        }
    }

    #[test]
    fn control_characters_are_removed() {
        let shown = owner(&json!({
            "iam_id": "IBMid-1\u{7}", "email": "a\u{1b}[2J\n", "account": {"bss": "x\r\u{9b}"}
        }))
        .unwrap()
        .to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }

    #[test]
    fn a_bearer_prefix_is_accepted() {
        let token = jwt::unsigned(&json!({"iam_id": "IBMid-1"}));
        assert!(Owner::of(&Secret::new(format!("Bearer {token}"))).is_some());
    }

    #[test]
    fn a_token_of_another_issuer_has_no_owner() {
        for claims in [
            json!({}),
            json!({"iam_id": 7}),
            json!({"iam_id": ""}),
            json!([]),
        ] {
            assert_eq!(owner(&claims), None, "{claims}");
        }
        for text in ["", "a.b.c", "opaque", "Bearer "] {
            assert_eq!(Owner::of(&Secret::new(text)), None, "{text}");
        }
    }
}
