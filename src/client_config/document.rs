//! A client's JSON file as it is written, and the smallest changes of its text.
//!
//! `serde_json` reads strictly and says where each member and value stands; nothing
//! is ever written anew but what is asked for, so that order, spaces, line ends,
//! numbers and escapes of everything else stay as they are, byte by byte.
//!
//! Clients read with Go's `encoding/json`: the names of fields in any case, keys of
//! maps exactly, the last of two. docker takes a file without anything in it for one
//! that is not there (`cli/config/configfile/file.go`).

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::registry::Registry;
use crate::secret::Secret;

/// What `credHelpers` and `credsStore` call this program: clients put
/// `docker-credential-` before it.
pub const HELPER: &str = "icr";

const AUTHS: &str = "auths";
const HELPERS: &str = "credHelpers";
const STORE: &str = "credsStore";

/// How docker and podman indent what they write.
const INDENTATION: &str = "\t";

/// Why a file is left as it is; with the place in it, and nothing of its content.
///
/// What clients take was tried with docker 28.2.2 and podman 4.3.1; of the first two,
/// docker alone takes what follows the object (Go's `json.Decoder`).
#[derive(Debug, Error, Eq, PartialEq)]
pub enum ParseError {
    /// No client can read it either.
    #[error("{0}")]
    Broken(String),
    /// Clients read it, or may; to change it, this program would have to guess what
    /// counts.
    #[error("{0}")]
    Ambiguous(String),
}

/// A piece of a text that another one takes the place of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// Which bytes.
    pub at: Range<usize>,
    /// What is there instead.
    pub text: String,
}

/// What a client's file says about this program. Not for printing: there are secrets
/// in it.
pub struct Document<'a> {
    text: &'a str,
    /// `None` when there is nothing in the file.
    root: Option<Object<'a>>,
}

/// What would make the helper answer for some registries.
#[derive(Debug, Default)]
pub struct HelperPlan {
    /// Hosts that are already answered for.
    pub already: Vec<String>,
    /// Hosts that another helper answers for, with its name.
    pub others: Vec<(String, String)>,
    /// The changes for all hosts but `already`.
    pub edits: Vec<Edit>,
    /// Whether there were no `credHelpers`.
    pub is_first: bool,
}

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

struct Object<'a> {
    at: Range<usize>,
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    /// `None` for a name that is no text, such as half a surrogate pair.
    key: Option<Cow<'a, str>>,
    key_at: Range<usize>,
    value: &'a str,
    value_at: Range<usize>,
}

/// How a file is laid out.
struct Style<'a> {
    colon: &'a str,
    indentation: &'a str,
    /// `None` when everything stands on one line.
    newline: Option<&'static str>,
}

impl<'a> Document<'a> {
    /// Reads a file as clients would.
    ///
    /// # Errors
    /// It is not one JSON object, or says something about helpers and logins that
    /// clients do not understand, or each in its own way.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        if text.starts_with('\u{feff}') {
            return Err(ParseError::Broken(
                "it begins with a byte order mark, which no client takes".into(),
            ));
        }
        if text.bytes().all(is_space) {
            return Ok(Self { text, root: None });
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let raw = <&RawValue>::deserialize(&mut deserializer);
        let raw = raw.map_err(|error| ParseError::Broken(syntax(text, &error)))?;
        if raw.get() == "null" {
            return Err(ParseError::Ambiguous(
                "it is `null` and not an object".into(),
            ));
        }
        let root = object(text, raw.get(), "it")?;
        let end = deserializer.end();
        end.map_err(|error| ParseError::Ambiguous(syntax(text, &error)))?;
        let document = Self {
            text,
            root: Some(root),
        };
        document.member_object(AUTHS)?;
        document.member_object(HELPERS)?;
        Ok(document)
    }

    /// The name of the helper that answers for a host.
    pub fn helper_of(&self, host: &str) -> Option<String> {
        let helpers = self.member_object(HELPERS).ok()??;
        let member = helpers.members.iter().rfind(|member| member.is(host))?;
        serde_json::from_str(member.value).ok()
    }

    /// The hosts that this program answers for, in the order of the file.
    pub fn our_hosts(&self) -> Vec<String> {
        let helpers = self.member_object(HELPERS).ok().flatten();
        let members = helpers.map(|helpers| helpers.members).unwrap_or_default();
        let ours = members.into_iter().filter(Member::is_ours);
        ours.filter_map(|member| member.key.map(Cow::into_owned))
            .collect()
    }

    /// The name of the helper that is asked for every registry without one of its own
    /// (`credsStore`).
    pub fn store(&self) -> Option<String> {
        let member = self.fields(STORE).last()?;
        let name: String = serde_json::from_str(member.value).ok()?;
        Some(name).filter(|name| !name.is_empty())
    }

    /// Whether this program is asked for every registry (`credsStore`).
    pub fn is_our_store(&self) -> bool {
        self.fields(STORE).any(Member::is_ours)
    }

    /// Whether there is anything about logins: otherwise docker looks for a keychain's
    /// helper by itself (`ContainsAuth` in docker's source).
    pub fn is_about_logins(&self) -> bool {
        let objects = [AUTHS, HELPERS].map(|name| self.member_object(name).ok().flatten());
        let has_members = |object: &Object<'_>| !object.members.is_empty();
        objects.iter().flatten().any(has_members)
            || self
                .fields(STORE)
                .any(|store| !["\"\"", "null"].contains(&store.value))
    }

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

    /// What makes this program answer for `hosts`.
    ///
    /// # Errors
    /// A host is there twice, or what is said about it is no name of a helper.
    pub fn naming(&self, hosts: &[String]) -> Result<HelperPlan, ParseError> {
        let mut naming = HelperPlan::default();
        let helpers = self.member_object(HELPERS)?;
        let mut missing = Vec::new();
        for host in hosts {
            match self.only_member(helpers.as_ref(), host)? {
                None => missing.push(host),
                Some(member) if member.is_ours() => naming.already.push(host.clone()),
                Some(member) => {
                    let other = serde_json::from_str(member.value).map_err(|_| {
                        let what = "a helper's name is missing";
                        let reason = at(self.text, member.value_at.start, what);
                        match member.value {
                            "null" => ParseError::Ambiguous(reason),
                            _ => ParseError::Broken(reason),
                        }
                    })?;
                    naming.others.push((host.clone(), other));
                    naming.edits.push(Edit {
                        at: member.value_at.clone(),
                        text: quoted(HELPER),
                    });
                }
            }
        }
        if !missing.is_empty() {
            naming.is_first = helpers.is_none();
            naming.edits.push(self.addition(helpers.as_ref(), &missing));
        }
        naming.edits.sort_by_key(|edit| edit.at.start);
        Ok(naming)
    }

    /// What takes this program out again for `hosts`, each with the name of the
    /// helper that was there before, if there was one. Where nothing is left of
    /// `credHelpers`, it goes as a whole if `created`. Others' entries stay.
    pub fn unnaming(&self, hosts: &[(String, Option<String>)], created: bool) -> Vec<Edit> {
        let Some((root, helpers)) = self.root.as_ref().zip(self.helpers()) else {
            return Vec::new();
        };
        let former = |member: &Member<'_>| {
            let mut hosts = hosts.iter().filter(|_| member.is_ours());
            hosts.find(|(host, _)| member.is(host))
        };
        let is_gone = |member: &Member<'_>| matches!(former(member), Some((_, None)));
        if created && !helpers.members.is_empty() && helpers.members.iter().all(is_gone) {
            return removal(root, &|member| member.is_field(HELPERS));
        }
        let mut edits = removal(&helpers, &is_gone);
        edits.extend(helpers.members.iter().filter_map(|member| {
            let (_, former) = former(member)?;
            former.as_ref().map(|former| Edit {
                at: member.value_at.clone(),
                text: quoted(former),
            })
        }));
        edits.sort_by_key(|edit| edit.at.start);
        edits
    }

    /// What removes those passwords that `is_moved` knows.
    pub fn without_logins(
        &self,
        further: &[Registry],
        is_moved: &dyn Fn(&Registry, &Credential) -> bool,
    ) -> Vec<Edit> {
        let Ok(Some(auths)) = self.member_object(AUTHS) else {
            return Vec::new();
        };
        removal(&auths, &|member| {
            let registry = member
                .key
                .as_deref()
                .and_then(|key| Registry::at(key, further));
            match registry.zip(self.plain_kind(member)) {
                Some((registry, PlainKind::Credential(credential))) => {
                    is_moved(&registry, &credential)
                }
                _ => false,
            }
        })
    }

    /// Whether there is nothing in the file, or an object with nothing in it.
    pub fn is_empty(&self) -> bool {
        self.root
            .as_ref()
            .is_none_or(|root| root.members.is_empty())
    }

    /// The text with `[redacted]` in place of every text in it that is not known to
    /// be harmless: passwords, headers, proxies, and what other programs left.
    pub fn redacted(&self) -> String {
        let mut edits = Vec::new();
        for member in self.root.iter().flat_map(|root| &root.members) {
            let is_harmless = |harmless: &&str| member.is_field(harmless);
            if !HARMLESS.iter().any(is_harmless) {
                redact(member, &mut edits);
            }
        }
        applied(self.text, &edits)
    }

    fn helpers(&self) -> Option<Object<'a>> {
        self.member_object(HELPERS).ok().flatten()
    }

    fn fields<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Member<'a>> {
        let members = self.root.iter().flat_map(|root| &root.members);
        members.filter(move |member| member.is_field(name))
    }

    /// The object that a field is, if it is there.
    fn member_object(&self, name: &str) -> Result<Option<Object<'a>>, ParseError> {
        let mut found = None;
        for member in self.fields(name) {
            if found.is_some() {
                let what = format!("`{name}` is there twice");
                return Err(ParseError::Ambiguous(at(
                    self.text,
                    member.key_at.start,
                    &what,
                )));
            }
            found = Some(member);
        }
        match found {
            Some(member) if member.value != "null" => {
                object(self.text, member.value, &format!("`{name}`")).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn only_member<'o>(
        &self,
        object: Option<&'o Object<'a>>,
        key: &str,
    ) -> Result<Option<&'o Member<'a>>, ParseError> {
        let members = object.map_or(&[][..], |object| &object.members);
        let mut found = members.iter().filter(|member| member.is(key));
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(second) => {
                let what = format!("`{key}` is there twice");
                Err(ParseError::Ambiguous(at(
                    self.text,
                    second.key_at.start,
                    &what,
                )))
            }
        }
    }

    /// What the client would send for an entry of `auths`; `None` when nothing.
    fn plain_kind(&self, member: &Member<'_>) -> Option<PlainKind> {
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

    /// Adds hosts that are not there.
    fn addition(&self, helpers: Option<&Object<'a>>, hosts: &[&String]) -> Edit {
        let style = self.style();
        let value = quoted(HELPER);
        let entries: Vec<String> = hosts
            .iter()
            .map(|host| format!("{}{}{value}", quoted(host), style.colon))
            .collect();
        if let Some(helpers) = helpers {
            return self.with_members(helpers, &entries, &self.indentation_of(helpers), &style);
        }
        let Some(root) = &self.root else {
            let object = block(&entries, INDENTATION, &style);
            let all = block(&[format!("\"{HELPERS}\": {object}")], "", &style);
            return Edit {
                at: 0..self.text.len(),
                text: all + "\n",
            };
        };
        let inside = match root.members.is_empty() {
            true => style.indentation.to_owned(),
            false => self.indentation_within(root),
        };
        let object = block(&entries, &inside, &style);
        if let Some(null) = self.fields(HELPERS).next() {
            return Edit {
                at: null.value_at.clone(),
                text: object,
            };
        }
        let member = format!("\"{HELPERS}\"{}{object}", style.colon);
        self.with_members(root, &[member], &self.indentation_of(root), &style)
    }

    /// Adds members at the end of an object whose closing brace is indented so.
    fn with_members(
        &self,
        object: &Object<'_>,
        members: &[String],
        indentation: &str,
        style: &Style<'_>,
    ) -> Edit {
        let Some(last) = object.members.last() else {
            return Edit {
                at: object.at.clone(),
                text: block(members, indentation, style),
            };
        };
        let gap = self.gap_before_last(object);
        let gap = match (gap.rfind(['\n', '\r']), object.members.len()) {
            (Some(_), _) => format!("{}{}", style.newline.unwrap_or("\n"), after_line(gap)),
            (None, 1) if gap.is_empty() && style.colon.ends_with(' ') => " ".into(),
            _ => gap.to_owned(),
        };
        let end = last.value_at.end;
        Edit {
            at: end..end,
            text: members
                .iter()
                .map(|member| format!(",{gap}{member}"))
                .collect(),
        }
    }

    /// The spaces before the last member's key.
    fn gap_before_last(&self, object: &Object<'_>) -> &'a str {
        let Some(last) = object.members.last() else {
            return "";
        };
        let before = object.members.len().checked_sub(2);
        let start = match before.and_then(|before| object.members.get(before)) {
            None => object.at.start + 1,
            Some(before) => before.value_at.end,
        };
        let gap = &self.text[start..last.key_at.start];
        gap.split_once(',').map_or(gap, |(_, after)| after)
    }

    /// The indentation of an object's members.
    fn indentation_within(&self, object: &Object<'_>) -> String {
        after_line(self.gap_before_last(object)).to_owned()
    }

    /// The indentation of the line on which an object's last brace stands, or would.
    fn indentation_of(&self, object: &Object<'_>) -> String {
        let before = &self.text[..object.at.start];
        let line = after_line(before);
        let end = line.find(|character| character != ' ' && character != '\t');
        line[..end.unwrap_or(line.len())].to_owned()
    }

    /// How the file is laid out, by its last member; as docker does it, where there
    /// is none.
    fn style(&self) -> Style<'a> {
        let is_crlf = self.text.contains("\r\n");
        let newline = if is_crlf { "\r\n" } else { "\n" };
        let members = self.root.as_ref().filter(|root| !root.members.is_empty());
        let Some((root, last)) = members.and_then(|root| Some((root, root.members.last()?))) else {
            return Style {
                colon: ": ",
                indentation: INDENTATION,
                newline: Some(newline),
            };
        };
        let gap = self.gap_before_last(root);
        Style {
            colon: &self.text[last.key_at.end..last.value_at.start],
            indentation: after_line(gap),
            newline: gap.contains(['\n', '\r']).then_some(newline),
        }
    }
}

impl Member<'_> {
    /// Whether it is the field of a Go structure.
    fn is_field(&self, name: &str) -> bool {
        let key = self.key.as_deref();
        key.is_some_and(|key| key.eq_ignore_ascii_case(name))
    }

    /// Whether it is the entry of a map.
    fn is(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }

    fn is_ours(&self) -> bool {
        serde_json::from_str::<String>(self.value).is_ok_and(|value| value == HELPER)
    }
}

/// The text with those edits, which are in order and do not overlap.
pub fn applied(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut end = 0;
    for edit in edits {
        result.push_str(&text[end..edit.at.start]);
        result.push_str(&edit.text);
        end = edit.at.end;
    }
    result + &text[end..]
}

/// What makes the old text of the new one.
pub fn reversed(text: &str, edits: &[Edit]) -> Vec<Edit> {
    let mut shift = 0;
    let reverse = |edit: &Edit| {
        let start = edit.at.start + shift - removed_before(edits, edit);
        shift += edit.text.len();
        Edit {
            at: start..start + edit.text.len(),
            text: text[edit.at.clone()].to_owned(),
        }
    };
    edits.iter().map(reverse).collect()
}

/// How many bytes the edits before this one take away.
fn removed_before(edits: &[Edit], this: &Edit) -> usize {
    let before = edits.iter().take_while(|edit| *edit != this);
    before.map(|edit| edit.at.len()).sum()
}

/// Fields of docker's file whose texts may be shown.
const HARMLESS: [&str; 14] = [
    HELPERS,
    STORE,
    "currentContext",
    "detachKeys",
    "experimental",
    "features",
    "imagesFormat",
    "networksFormat",
    "pluginsFormat",
    "psFormat",
    "servicesFormat",
    "stackOrchestrator",
    "tasksFormat",
    "volumesFormat",
];

/// Takes out every text in a value, but not the names of members.
fn redact(member: &Member<'_>, edits: &mut Vec<Edit>) {
    let value = member.value;
    let mut position = 0;
    while let Some(start) = value[position..].find('"').map(|found| position + found) {
        let end = end_of_string(value, start);
        let is_name = value[end..].trim_start().starts_with(':');
        // A name may have a user and a password in it, as URLs do.
        if (!is_name || value[start..end].contains('@')) && end - start > 2 {
            edits.push(Edit {
                at: member.value_at.start + start..member.value_at.start + end,
                text: quoted("[redacted]"),
            });
        }
        position = end;
    }
}

/// Where the string ends that starts here.
fn end_of_string(json: &str, start: usize) -> usize {
    let mut is_escaped = false;
    for (offset, byte) in json.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return offset + 1,
            _ => {}
        }
    }
    json.len()
}

/// An object of its own, with members on lines of their own where others have them;
/// its closing brace is indented by `indentation`.
fn block(members: &[String], indentation: &str, style: &Style<'_>) -> String {
    let Some(newline) = style.newline else {
        let comma = if style.colon.ends_with(' ') {
            ", "
        } else {
            ","
        };
        return format!("{{{}}}", members.join(comma));
    };
    let gap = format!("{newline}{indentation}{}", style.indentation);
    let members: Vec<String> = members
        .iter()
        .map(|member| format!("{gap}{member}"))
        .collect();
    format!("{{{}{newline}{indentation}}}", members.join(","))
}

/// Removes members of an object, each with the comma that goes with it.
fn removal(object: &Object<'_>, is_gone: &dyn Fn(&Member<'_>) -> bool) -> Vec<Edit> {
    let members = &object.members;
    let nothing = |at| Edit {
        at,
        text: String::new(),
    };
    if !members.is_empty() && members.iter().all(is_gone) {
        return vec![nothing(object.at.start + 1..object.at.end - 1)];
    }
    let mut edits = Vec::new();
    let mut has_kept = false;
    for (index, member) in members.iter().enumerate() {
        if !is_gone(member) {
            has_kept = true;
            continue;
        }
        let before = index.checked_sub(1).and_then(|before| members.get(before));
        match (has_kept, before, members.get(index + 1)) {
            (true, Some(before), _) => {
                edits.push(nothing(before.value_at.end..member.value_at.end))
            }
            (_, _, Some(next)) => edits.push(nothing(member.key_at.start..next.key_at.start)),
            _ => {}
        }
    }
    edits
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

struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The object that stands at `json`, a part of `text`.
fn object<'a>(text: &str, json: &'a str, what: &str) -> Result<Object<'a>, ParseError> {
    let place_of = place(text, json);
    let broken = |how: &str| ParseError::Broken(at(text, place_of.start, &format!("{what} {how}")));
    // Otherwise serde's message would quote what is there.
    if !json.starts_with('{') {
        return Err(broken("is not an object"));
    }
    let Members(members) = serde_json::from_str(json).map_err(|_| broken("cannot be read"))?;
    let members = members.into_iter().map(|(key, value)| Member {
        key: serde_json::from_str(key.get()).ok(),
        key_at: place(text, key.get()),
        value: value.get(),
        value_at: place(text, value.get()),
    });
    Ok(Object {
        at: place_of,
        members: members.collect(),
    })
}

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

fn syntax(text: &str, error: &serde_json::Error) -> String {
    let line = text.split('\n').nth(error.line().saturating_sub(1));
    let rest = line.and_then(|line| line.get(error.column().saturating_sub(1)..));
    let is_comment = rest.is_some_and(|rest| rest.starts_with('/') || rest.starts_with('#'));
    let hint = match is_comment {
        true => "; JSON has no comments",
        false => "",
    };
    format!("it is not valid JSON: {error}{hint}")
}

/// What is wrong, and at which byte of the text.
fn at(text: &str, byte: usize, what: &str) -> String {
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let column = after_line(before).chars().count() + 1;
    format!("{what} (line {line}, column {column})")
}

/// What follows the last end of a line.
fn after_line(text: &str) -> &str {
    text.rsplit(['\n', '\r']).next().unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A host or a helper's name as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str, hosts: &[&str]) -> String {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let naming = Document::parse(text).unwrap().naming(&hosts).unwrap();
        let after = applied(text, &naming.edits);
        assert_eq!(applied(&after, &reversed(text, &naming.edits)), text);
        let document = Document::parse(&after).unwrap();
        for host in &hosts {
            assert_eq!(document.helper_of(host).as_deref(), Some(HELPER), "{after}");
        }
        assert_eq!(named_again(&after, &hosts), after);
        after
    }

    fn named_again(text: &str, hosts: &[String]) -> String {
        let naming = Document::parse(text).unwrap().naming(hosts).unwrap();
        assert_eq!(naming.already, hosts);
        applied(text, &naming.edits)
    }

    #[test]
    fn an_addition_looks_like_what_is_around_it() {
        for (text, expected) in [
            (
                "",
                "{\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}\n",
            ),
            (
                " \n",
                "{\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}\n",
            ),
            (
                "{}",
                "{\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}",
            ),
            (
                "{}\r\n",
                "{\r\n\t\"credHelpers\": {\r\n\t\t\"us.icr.io\": \"icr\"\r\n\t}\r\n}\r\n",
            ),
            (r#"{"a":1}"#, r#"{"a":1,"credHelpers":{"us.icr.io":"icr"}}"#),
            (
                r#"{"a": 1}"#,
                r#"{"a": 1, "credHelpers": {"us.icr.io": "icr"}}"#,
            ),
            (
                r#"{ "a" : 1 }"#,
                r#"{ "a" : 1, "credHelpers" : {"us.icr.io" : "icr"} }"#,
            ),
            (
                "{\n\t\"auths\": {}\n}",
                "{\n\t\"auths\": {},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}",
            ),
            (
                "{\r\n  \"b\": 1e400,\r\n  \"a\": 123456789012345678901234567890\r\n}\r\n",
                "{\r\n  \"b\": 1e400,\r\n  \"a\": 123456789012345678901234567890,\r\n  \"credHelpers\": {\r\n    \"us.icr.io\": \"icr\"\r\n  }\r\n}\r\n",
            ),
            (
                "{\n    \"credHelpers\": {\n        \"x.io\": \"x\"\n    },\n    \"z\": \"\\u00e9\\ud800\"\n}\n",
                "{\n    \"credHelpers\": {\n        \"x.io\": \"x\",\n        \"us.icr.io\": \"icr\"\n    },\n    \"z\": \"\\u00e9\\ud800\"\n}\n",
            ),
            (
                "{\n  \"credHelpers\": {},\n  \"a\": 1\n}",
                "{\n  \"credHelpers\": {\n    \"us.icr.io\": \"icr\"\n  },\n  \"a\": 1\n}",
            ),
            (
                "{\n\n  \"a\": 1,\n\n  \"b\": 2\n}",
                "{\n\n  \"a\": 1,\n\n  \"b\": 2,\n  \"credHelpers\": {\n    \"us.icr.io\": \"icr\"\n  }\n}",
            ),
            (
                r#"{"credHelpers":null}"#,
                r#"{"credHelpers":{"us.icr.io":"icr"}}"#,
            ),
            (
                r#"{"CREDHELPERS":{}}"#,
                r#"{"CREDHELPERS":{"us.icr.io":"icr"}}"#,
            ),
            (
                r#"{"credHelpers":{"us.icr.io":"other"}}"#,
                r#"{"credHelpers":{"us.icr.io":"icr"}}"#,
            ),
            (
                r#"{"cred\u0048elpers":{}}"#,
                r#"{"cred\u0048elpers":{"us.icr.io":"icr"}}"#,
            ),
            (
                r#"{"a":1,"a":{"a":[1,2,"}{"]}}"#,
                r#"{"a":1,"a":{"a":[1,2,"}{"]},"credHelpers":{"us.icr.io":"icr"}}"#,
            ),
        ] {
            assert_eq!(named(text, &["us.icr.io"]), expected, "{text}");
        }
    }

    /// Every layout of an object with these members.
    fn layouts(members: &[&str]) -> Vec<String> {
        let mut layouts = Vec::new();
        for newline in ["\n", "\r\n", ""] {
            for indentation in ["", " ", "  ", "    ", "\t"] {
                for end in ["", "\n", "\r\n", " \n\n"] {
                    let gap = format!("{newline}{indentation}");
                    let members = members.join(&format!(",{gap}"));
                    layouts.push(format!("{{{gap}{members}{newline}}}{end}"));
                }
            }
        }
        layouts
    }

    #[test]
    fn everything_but_the_addition_stays_as_it_is_and_goes_with_it() {
        let auths = r#""auths" : {"a.io":{ "auth" :"eDp5"}}"#;
        let nasty = r#""x\\\"\u00e9":[1E+5,-0,{"credHelpers":{}},"é\ud800"]"#;
        let of_others = r#""credHelpers": {"a.io":"a" , "b.io":"b"}"#;
        for members in [
            vec![auths],
            vec![auths, nasty],
            vec![of_others, auths],
            vec![nasty, of_others],
        ] {
            for text in layouts(&members) {
                let after = named(&text, &["us.icr.io", "icr.io"]);
                let hosts = ["us.icr.io", "icr.io"].map(|host| (host.to_owned(), None));
                let document = Document::parse(&after).unwrap();
                let is_first = !text.contains("a.io\":\"a");
                let edits = document.unnaming(&hosts, is_first);
                assert_eq!(applied(&after, &edits), text, "{after}");
                for member in &members {
                    let known = member.trim_end_matches('}');
                    assert!(after.contains(known), "{after}");
                }
            }
        }
    }

    fn reason(text: &str) -> String {
        let hosts = ["us.icr.io".to_owned()];
        match Document::parse(text) {
            Err(broken) => broken.to_string(),
            Ok(document) => document.naming(&hosts).unwrap_err().to_string(),
        }
    }

    #[test]
    fn a_broken_file_is_told_by_its_place_and_not_by_its_content() {
        for (text, part) in [
            ("{\"auths\": {\"a\": \"hunter2\"", "line 1 column 25"),
            (
                "{\n  // hunter2\n}",
                "line 2 column 3; JSON has no comments",
            ),
            (
                "{\n  \"a\": 1, # hunter2\n}",
                "line 2 column 11; JSON has no comments",
            ),
            ("{\"a\": 1,}", "line 1 column 9"),
            ("{} hunter2", "trailing characters at line 1 column 4"),
            ("{\"a\":\"hunter2\n\"}", "control character"),
            ("\u{feff}{}", "byte order mark"),
            ("[\"hunter2\"]", "it is not an object (line 1, column 1)"),
            ("\"hunter2\"", "it is not an object"),
            (
                "{\n \"auths\": \"hunter2\"}",
                "`auths` is not an object (line 2, column 11)",
            ),
            (
                "{\"credHelpers\": [\"hunter2\"]}",
                "`credHelpers` is not an object (line 1, column 17)",
            ),
            (
                "{\"credHelpers\":{},\n \"credhelpers\":{}}",
                "`credHelpers` is there twice (line 2, column 2)",
            ),
            (
                "{\"auths\":{},\"auths\":{}}",
                "`auths` is there twice (line 1, column 13)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":\"a\",\n\"us.icr.io\":\"b\"}}",
                "`us.icr.io` is there twice (line 2, column 1)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":7}}",
                "a helper's name is missing (line 1, column 29)",
            ),
        ] {
            let reason = reason(text);
            assert!(reason.contains(part), "{text}: {reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn deep_nesting_is_read() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            named(&deep, &["us.icr.io"]).ends_with("]],\"credHelpers\":{\"us.icr.io\":\"icr\"}}")
        );
    }

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

    #[test]
    fn moved_passwords_go_with_their_commas_and_nothing_else() {
        let entry =
            |host: &str| format!("\"{host}\": {{\"auth\": \"{}\"}}", STANDARD.encode("u:p"));
        let (us, de, other) = (entry("us.icr.io"), entry("de.icr.io"), entry("x.io"));
        for (members, left) in [
            (vec![&us], vec![]),
            (vec![&us, &de], vec![]),
            (vec![&us, &other], vec![&other]),
            (vec![&other, &us], vec![&other]),
            (vec![&us, &other, &de], vec![&other]),
            (vec![&us, &de, &other], vec![&other]),
            (vec![&other, &us, &de], vec![&other]),
            (vec![&other, &us, &other], vec![&other, &other]),
        ] {
            let join = |members: &[&String]| {
                let members: Vec<&str> = members.iter().map(|member| member.as_str()).collect();
                match members.is_empty() {
                    true => "{\n \"auths\": {}\n}".to_owned(),
                    false => format!("{{\n \"auths\": {{\n  {}\n }}\n}}", members.join(",\n  ")),
                }
            };
            let text = join(&members);
            let document = Document::parse(&text).unwrap();
            let edits = document.without_logins(&[], &|_, credential| credential.username == "u");
            assert_eq!(applied(&text, &edits), join(&left), "{text}");
            assert!(document.without_logins(&[], &|_, _| false).is_empty());
        }
    }

    #[test]
    fn what_may_be_a_secret_is_redacted() {
        let text = r#"{"HttpHeaders": {"Authorization": "s3cret-1"}, "currentContext": "rootless",
            "proxies": {"default": {"httpProxy": "http://u:s3cret-2@h"}}, "x": ["s3cret-3", {"y": "s3c\"ret-4"}],
            "auths": {"https://u:s3cret-5@x.io": {"username": "s3cret-6"}}, "s": "s3cret-7",
            "credHelpers": {"us.icr.io": "icr"}, "empty": ""}"#;
        let redacted = Document::parse(text).unwrap().redacted();
        assert!(!redacted.contains("s3c"), "{redacted}");
        for kept in [
            "\"Authorization\": \"[redacted]\"",
            "rootless",
            "\"us.icr.io\": \"icr\"",
            "\"empty\": \"\"",
        ] {
            assert!(redacted.contains(kept), "{redacted}");
        }
        assert!(Document::parse(&redacted).is_ok());
    }

    #[test]
    fn docker_looks_for_a_keychain_while_nothing_is_said_about_logins() {
        for (text, is_about_logins) in [
            ("", false),
            (
                "{\"auths\": {}, \"credHelpers\": null, \"credsStore\": \"\"}",
                false,
            ),
            ("{\"auths\": {\"x.io\": {}}}", true),
            ("{\"credHelpers\": {\"x.io\": \"x\"}}", true),
            ("{\"credsStore\": \"pass\"}", true),
        ] {
            let document = Document::parse(text).unwrap();
            assert_eq!(document.is_about_logins(), is_about_logins, "{text}");
        }
    }

    #[test]
    fn our_own_names_are_noticed() {
        let text = r#"{"credsStore": "icr", "credHelpers": {"b.icr.io": "x", "us.icr.io": "icr", "icr.io": "icr"}}"#;
        let document = Document::parse(text).unwrap();
        assert!(document.is_our_store());
        assert_eq!(document.our_hosts(), ["us.icr.io", "icr.io"]);
        assert_eq!(document.helper_of("b.icr.io").as_deref(), Some("x"));
        assert_eq!(document.helper_of("x.icr.io"), None);
        let nothing = Document::parse("").unwrap();
        assert!(!nothing.is_our_store() && nothing.is_empty());
    }
}
