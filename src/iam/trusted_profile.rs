//! [`TrustedProfile`]: an IAM identity that others assume.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::digest;
use crate::text::repeatable;

/// The size limit of a profile's ID, CRN or name, in bytes: more than twice a usual CRN.
const MAX_LENGTH: usize = 512;

/// A trusted profile, in each form that IAM accepts: `profile_id`, `profile_crn`,
/// or `profile_name` with `account` (`go-sdk-core`,
/// `core/iam_assume_authenticator.go`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustedProfile {
    /// `Profile-…`, which is unique everywhere.
    Id(String),
    /// `crn:v1:…`, which is unique everywhere.
    Crn(String),
    /// A name, which is unique within one account.
    Name {
        /// The profile's name.
        name: String,
        /// The ID of the profile's account, if it is known.
        account: Option<String>,
    },
}

impl TrustedProfile {
    /// Parses a profile: `Profile-…` is an ID, `crn:…` a CRN, anything else a name.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("must be the ID, CRN or name of a trusted profile, but is empty".into());
        }
        if text.len() > MAX_LENGTH {
            return Err(format!("must have at most {MAX_LENGTH} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".into());
        }
        let is_id = text.starts_with("Profile-");
        if (is_id || text.starts_with("crn:")) && !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(
                "must contain only ASCII letters and signs without spaces, because it is an ID or a CRN".into(),
            );
        }
        Ok(match text {
            id if is_id => Self::Id(id.to_owned()),
            crn if crn.starts_with("crn:") => Self::Crn(crn.to_owned()),
            name => Self::Name {
                name: name.to_owned(),
                account: None,
            },
        })
    }

    /// Returns the profile with an account if it is a name; an ID or a CRN includes its
    /// account.
    #[must_use]
    pub fn with_account(self, account: Option<String>) -> Self {
        match self {
            Self::Name { name, .. } => Self::Name {
                name,
                account: account.filter(|account| !account.is_empty()),
            },
            other => other,
        }
    }

    /// Returns the fingerprint of this profile as assumed by the identity with this one.
    pub fn id_on_top_of(&self, id: &str) -> String {
        let mut parts = vec!["assume", id];
        parts.extend(self.parts());
        digest::fingerprint(&parts)
    }

    /// Returns what identifies this profile for
    /// [`fingerprint`](crate::digest::fingerprint): always three parts.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::Id(id) => vec!["profile_id", id, ""],
            Self::Crn(crn) => vec!["profile_crn", crn, ""],
            Self::Name { name, account } => {
                vec!["profile_name", name, account.as_deref().unwrap_or("")]
            }
        }
    }
}

impl fmt::Display for TrustedProfile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(text) | Self::Crn(text) => write!(formatter, "trusted profile {text}"),
            Self::Name { name, .. } => {
                write!(formatter, "trusted profile '{}'", repeatable::name(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    fn name(name: &str, account: Option<&str>) -> TrustedProfile {
        TrustedProfile::Name {
            name: name.into(),
            account: account.map(Into::into),
        }
    }

    #[test]
    fn a_profile_is_an_id_a_crn_or_a_name() {
        let crn = "crn:v1:bluemix:public:iam-identity::a/1::profile:Profile-1";
        for (text, profile, shown) in [
            (
                "Profile-1",
                TrustedProfile::Id("Profile-1".into()),
                "trusted profile Profile-1".to_owned(),
            ),
            (
                crn,
                TrustedProfile::Crn(crn.into()),
                format!("trusted profile {crn}"),
            ),
            (
                " my builds\n",
                name("my builds", None),
                "trusted profile 'my builds'".to_owned(),
            ),
            (
                "profile-1",
                name("profile-1", None),
                "trusted profile 'profile-1'".to_owned(),
            ),
        ] {
            let read = TrustedProfile::parse(text).unwrap();
            assert_eq!(read, profile);
            assert_eq!(read.to_string(), shown);
        }
    }

    #[test]
    fn an_invalid_profile_is_rejected() {
        let long = "x".repeat(MAX_LENGTH + 1);
        for text in [
            "",
            " \n",
            "a\nb",
            "a\u{1b}[2J",
            "Profile-1 x",
            "crn:v1:é",
            &long,
        ] {
            let reason = TrustedProfile::parse(text).unwrap_err();
            assert!(!reason.contains('\u{1b}'), "{reason:?}");
        }
    }

    #[test]
    fn only_a_name_needs_an_account() {
        let account = Some("acc".to_owned());
        assert_eq!(
            name("n", None).with_account(account.clone()),
            name("n", Some("acc"))
        );
        assert_eq!(
            name("n", Some("acc")).with_account(Some(String::new())),
            name("n", None)
        );
        for other in ["Profile-1", "crn:v1:x"] {
            let profile = TrustedProfile::parse(other).unwrap();
            assert_eq!(profile.clone().with_account(account.clone()), profile);
        }
    }

    #[test]
    fn no_two_profiles_have_the_same_parts() {
        let profiles = [
            TrustedProfile::Id("x".into()),
            TrustedProfile::Crn("x".into()),
            name("x", None),
            name("x", Some("y")),
            name("xy", None),
        ];
        let names: std::collections::BTreeSet<String> = profiles
            .iter()
            .map(|profile| digest::fingerprint(&profile.parts()))
            .collect();
        assert_eq!(names.len(), profiles.len());
    }

    #[test]
    fn a_stored_profile_is_read_back() {
        for profile in [
            TrustedProfile::Id("Profile-1".into()),
            name("n", Some("acc")),
            name("n", None),
        ] {
            let record = serde_json::to_string(&profile).unwrap();
            assert_eq!(
                serde_json::from_str::<TrustedProfile>(&record).unwrap(),
                profile
            );
        }
    }
}
