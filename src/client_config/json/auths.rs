//! The entries of `auths`: passwords that clients keep in the file itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::AUTHS;
use super::Document;
use super::Format;
use super::HOST_LOGIN;
use super::parse::Member;
use super::parse::Object;
use super::parse::kind_of;
use super::parse::object;
use crate::credential::Credential;
use crate::registry::Registry;
use crate::secret::Secret;

/// An entry of `auths`. Its password is not encrypted.
#[derive(Debug)]
pub struct AuthEntry {
    /// The key in `auths`.
    pub key: String,
    /// The registry that it belongs to.
    pub registry: Registry,
    /// What the entry holds.
    pub kind: AuthKind,
}

impl AuthEntry {
    /// Returns whether the entry holds a secret.
    pub fn is_secret(&self) -> bool {
        !matches!(self.kind, AuthKind::Unreadable)
    }
}

/// What an entry of `auths` holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthKind {
    /// A user name and a password.
    Credential(Credential),
    /// A token that only this client can use (`identitytoken`, `registrytoken`).
    Token,
    /// Something that clients cannot read either.
    Unreadable,
}

impl Document<'_> {
    /// Returns the passwords for IBM Cloud registries, including `further` ones.
    /// Docker leaves entries without a password behind; they do not count.
    pub fn auth_entries(&self, further: &[Registry]) -> Vec<AuthEntry> {
        let logins = self.logins();
        let members = logins.map(|logins| logins.members).unwrap_or_default();
        members
            .into_iter()
            .filter_map(|member| {
                let kind = self.auth_kind(&member)?;
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

    /// Returns the object with the logins of registries.
    pub(super) fn logins(&self) -> Option<Object<'_>> {
        match self.format {
            Format::Docker => self.object_field(AUTHS).ok().flatten(),
            Format::Regctl => self.section(),
        }
    }

    /// Returns what a client would send for an entry; `None` if it would send nothing.
    pub(super) fn auth_kind(&self, member: &Member<'_>) -> Option<AuthKind> {
        let Ok(entry) = object(self.text, member.value, "") else {
            return (member.value != "null").then_some(AuthKind::Unreadable);
        };
        let text = |name: &str| -> Option<Zeroizing<String>> {
            let mut members = entry.members.iter();
            let member = members.rfind(|member| member.is_field(name))?;
            let text: String = serde_json::from_str(member.value).ok()?;
            (!text.is_empty()).then(|| Zeroizing::new(text))
        };
        if self.has_wrong_types(&entry) {
            return Some(AuthKind::Unreadable);
        }
        let tokens = match self.format {
            Format::Docker => &["identitytoken", "registrytoken"][..],
            Format::Regctl => &["token"],
        };
        if tokens.iter().any(|name| text(name).is_some()) {
            return Some(AuthKind::Token);
        }
        if self.format == Format::Regctl {
            let [user, password] = HOST_LOGIN.map(text);
            return Some(AuthKind::Credential(Credential {
                username: user?.to_string(),
                secret: Secret::new(&**password.as_ref()?),
            }));
        }
        if let Some(auth) = text("auth") {
            return Some(match decoded(&auth) {
                Some(credential) => AuthKind::Credential(credential),
                None => AuthKind::Unreadable,
            });
        }
        let username = text("username")?;
        Some(AuthKind::Credential(Credential {
            username: username.to_string(),
            secret: Secret::new(&**text("password")?),
        }))
    }
}

impl Document<'_> {
    /// Returns whether a field with a login is neither text nor null. Clients then cannot read the
    /// entry (`encoding/json` of Go).
    fn has_wrong_types(&self, entry: &Object<'_>) -> bool {
        let fields = match self.format {
            Format::Docker => &[
                "auth",
                "username",
                "password",
                "identitytoken",
                "registrytoken",
            ][..],
            Format::Regctl => &["user", "pass", "token"],
        };
        let is_text = |member: &Member<'_>| ["a text", "null"].contains(&kind_of(member.value));
        let mut members = entry.members.iter();
        members.any(|member| fields.iter().any(|name| member.is_field(name)) && !is_text(member))
    }
}

/// Decodes base64 of `user:password` as clients do.
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
    fn passwords_are_found_where_clients_find_them() {
        let auth = STANDARD.encode("iamapikey:se:cret\0");
        let text = format!(
            r#"{{"AUTHS": {{
                "us.icr.io": {{"auth": "{auth}"}},
                "https://de.icr.io/v1/": {{"Username": "iamapikey", "Password": "p"}},
                "uk.icr.io/namespace": {{"auth": "{auth}"}},
                "jp.icr.io": {{"identitytoken": "t", "auth": "{auth}"}},
                "br.icr.io": {{"auth": "no base64!"}},
                "es.icr.io": {{}}, "in.icr.io": null, "ca.icr.io": {{"auth": "", "email": "e"}},
                "au.icr.io": 7, "private.us.icr.io": {{"auth": ["x"]}}, "fr2.icr.io": {{"username": 7}},
                "evil-icr.io": {{"auth": "{auth}"}}, "index.docker.io": {{"auth": "{auth}"}}
            }}}}"#
        );
        let document = Document::parse(&text).unwrap();
        let logins = document.auth_entries(&[]);
        let credential = |secret: &str| {
            AuthKind::Credential(Credential {
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
                ("jp.icr.io", "jp.icr.io", AuthKind::Token),
                ("br.icr.io", "br.icr.io", AuthKind::Unreadable),
                ("au.icr.io", "au.icr.io", AuthKind::Unreadable),
                (
                    "private.us.icr.io",
                    "private.us.icr.io",
                    AuthKind::Unreadable
                ),
                ("fr2.icr.io", "fr2.icr.io", AuthKind::Unreadable),
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
