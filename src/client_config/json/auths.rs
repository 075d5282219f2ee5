//! The entries of `auths`: passwords that clients keep in the file itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::AUTHS;
use super::Document;
use super::parse::Member;
use super::parse::object;
use crate::credential::Credential;
use crate::registry::Registry;
use crate::secret::Secret;

/// A password that lies in a file for everybody to read who can read the file.
#[derive(Debug)]
pub struct AuthEntry {
    /// The key in `auths`.
    pub key: String,
    /// Whose password it is.
    pub registry: Registry,
    /// What is there.
    pub kind: PlainKind,
}

impl AuthEntry {
    /// Whether there is something that nobody else should read.
    pub fn is_secret(&self) -> bool {
        !matches!(self.kind, PlainKind::Unreadable)
    }
}

/// What an entry of `auths` holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PlainKind {
    /// A user name and a password.
    Credential(Credential),
    /// A token of the registry's own (`identitytoken`, `registrytoken`), which
    /// nobody else can use.
    Token,
    /// Something that no client can read either.
    Unreadable,
}

impl Document<'_> {
    /// The passwords of registries that lie here, `further` ones among them.
    /// Entries without one, which docker leaves behind, do not count.
    pub fn plain_logins(&self, further: &[Registry]) -> Vec<AuthEntry> {
        let auths = self.member_object(AUTHS).ok().flatten();
        let members = auths.map(|auths| auths.members).unwrap_or_default();
        members
            .into_iter()
            .filter_map(|member| {
                let kind = self.plain_kind(&member)?;
                let key = member.key?.into_owned();
                let registry = Registry::at(&key, further)?;
                Some(AuthEntry {
                    key,
                    registry,
                    kind,
                })
            })
            .collect()
    }

    /// What the client would send for an entry of `auths`; `None` when nothing.
    pub(super) fn plain_kind(&self, member: &Member<'_>) -> Option<PlainKind> {
        let Ok(entry) = object(self.text, member.value, "") else {
            return (member.value != "null").then_some(PlainKind::Unreadable);
        };
        let text = |name: &str| -> Option<Zeroizing<String>> {
            let mut members = entry.members.iter();
            let member = members.rfind(|member| member.is_field(name))?;
            let text: String = serde_json::from_str(member.value).ok()?;
            (!text.is_empty()).then(|| Zeroizing::new(text))
        };
        if ["identitytoken", "registrytoken"]
            .iter()
            .any(|name| text(name).is_some())
        {
            return Some(PlainKind::Token);
        }
        if let Some(auth) = text("auth") {
            return Some(match decoded(&auth) {
                Some(credential) => PlainKind::Credential(credential),
                None => PlainKind::Unreadable,
            });
        }
        let username = text("username")?;
        Some(PlainKind::Credential(Credential {
            username: username.to_string(),
            secret: Secret::new(&**text("password")?),
        }))
    }
}

/// Base64 of `user:password`, as clients read it.
fn decoded(auth: &str) -> Option<Credential> {
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(
        auth.bytes()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect(),
    );
    let decoded = Zeroizing::new(STANDARD.decode(&*bytes).ok()?);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    let password = password.trim_matches('\0');
    (!username.is_empty() && !password.is_empty()).then(|| Credential {
        username: username.to_owned(),
        secret: Secret::new(password),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_wherever_clients_find_them() {
        let auth = STANDARD.encode("iamapikey:se:cret\0");
        let text = format!(
            r#"{{"AUTHS": {{
                "us.icr.io": {{"auth": "{auth}"}},
                "https://de.icr.io/v1/": {{"Username": "iamapikey", "Password": "p"}},
                "uk.icr.io/namespace": {{"auth": "{auth}"}},
                "jp.icr.io": {{"identitytoken": "t", "auth": "{auth}"}},
                "br.icr.io": {{"auth": "no base64!"}},
                "es.icr.io": {{}}, "in.icr.io": null, "ca.icr.io": {{"auth": "", "email": "e"}},
                "au.icr.io": 7,
                "evil-icr.io": {{"auth": "{auth}"}}, "index.docker.io": {{"auth": "{auth}"}}
            }}}}"#
        );
        let document = Document::parse(&text).unwrap();
        let logins = document.plain_logins(&[]);
        let credential = |secret: &str| {
            PlainKind::Credential(Credential {
                username: "iamapikey".into(),
                secret: Secret::new(secret),
            })
        };
        let found: Vec<_> = logins
            .iter()
            .map(|login| (&*login.key, login.registry.host(), login.kind.clone()))
            .collect();
        assert_eq!(
            found,
            [
                ("us.icr.io", "us.icr.io", credential("se:cret")),
                ("https://de.icr.io/v1/", "de.icr.io", credential("p")),
                ("uk.icr.io/namespace", "uk.icr.io", credential("se:cret")),
                ("jp.icr.io", "jp.icr.io", PlainKind::Token),
                ("br.icr.io", "br.icr.io", PlainKind::Unreadable),
                ("au.icr.io", "au.icr.io", PlainKind::Unreadable),
            ]
        );
        let redacted = document.redacted();
        assert!(
            !redacted.contains(&auth) && !redacted.contains("no base64"),
            "{redacted}"
        );
        assert!(
            redacted.contains(r#""us.icr.io": {"auth": "[redacted]"}"#),
            "{redacted}"
        );
    }
}
