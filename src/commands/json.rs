//! Parts of `--json` answers that several commands have. The README documents each key.

use serde::Serialize;

use crate::iam::owner;
use crate::iam::owner::OwnerKind;

/// The identity that a token is issued for.
#[derive(Serialize)]
pub(super) struct Owner<'a> {
    /// `user`, `service-id` or `trusted-profile`.
    kind: &'static str,
    /// The IAM ID: `IBMid-…`, `iam-ServiceId-…` or `iam-Profile-…`.
    iam_id: &'a str,
    /// The account ID; null if the token has no account.
    account: Option<&'a str>,
    /// The name; null if IAM returned none.
    name: Option<&'a str>,
    /// The email address; null except for users.
    email: Option<&'a str>,
}

impl<'a> Owner<'a> {
    /// Creates the JSON form of an owner.
    pub(super) fn new(owner: &'a owner::Owner) -> Self {
        Self {
            kind: match owner.kind {
                OwnerKind::Profile => "trusted-profile",
                OwnerKind::ServiceId => "service-id",
                OwnerKind::User => "user",
            },
            iam_id: &owner.iam_id,
            account: owner.account.as_deref(),
            name: owner.name.as_deref(),
            email: owner.email.as_deref(),
        }
    }
}
