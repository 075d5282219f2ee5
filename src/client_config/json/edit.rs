//! The smallest changes of a client's file, and their inverse.

use std::ops::Range;

use super::AuthKind;
use super::Document;
use super::Format;
use super::HOST_HELPER;
use super::HOST_LOGIN;
use super::HelperName;
use super::ParseError;
use super::parse::Member;
use super::parse::Object;
use super::parse::not_a_name;
use super::parse::object;
use crate::credential::Credential;
use crate::registry::Registry;

/// The replacement of a part of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// The bytes that are replaced.
    pub at: Range<usize>,
    /// The new text.
    pub text: String,
}

/// The edits that add this helper for some hosts.
#[derive(Debug, Default)]
pub struct HelperPlan {
    /// Hosts that already have this helper.
    pub configured: Vec<String>,
    /// Hosts with another helper, and its name.
    pub other_helpers: Vec<(String, String)>,
    /// Hosts whose helper was this program, misspelled, or had no name; with that name.
    pub corrected: Vec<(String, String)>,
    /// The edits for all hosts that are not in `configured`.
    pub edits: Vec<Edit>,
    /// Whether the edits create `credHelpers`.
    pub creates_section: bool,
}

impl HelperPlan {
    /// Returns the name of the helper that the edits replace for a host.
    pub fn former(&self, host: &str) -> Option<&str> {
        let mut replaced = self.other_helpers.iter().chain(&self.corrected);
        let (_, name) = replaced.find(|(other, _)| other == host)?;
        Some(name)
    }

    /// Adds the edit that replaces the helper of a host, unless it is this one.
    fn replace_helper(
        &mut self,
        host: &str,
        member: &Member<'_>,
        document: &Document<'_>,
    ) -> Result<(), ParseError> {
        let format = document.format;
        let name = HelperName::read(member.value, format)
            .ok_or_else(|| not_a_name(document.text, member))?;
        let host = host.to_owned();
        match name {
            HelperName::Ours => {
                self.configured.push(host);
                return Ok(());
            }
            HelperName::Empty => self.corrected.push((host, String::new())),
            HelperName::Misspelled(name) => self.corrected.push((host, name)),
            HelperName::Other(name) => self.other_helpers.push((host, name)),
        }
        self.edits.push(Edit {
            at: member.value_at.clone(),
            text: quoted(format.helper()),
        });
        Ok(())
    }

    /// Adds the edit that sets the helper in the entry of a host.
    fn set_helper(
        &mut self,
        host: &str,
        entry: &Member<'_>,
        document: &Document<'_>,
    ) -> Result<(), ParseError> {
        if document.format == Format::Docker {
            return self.replace_helper(host, entry, document);
        }
        let entry = object(document.text, entry.value, &format!("`{host}`"))?;
        match entry.field(HOST_HELPER) {
            Some(member) => self.replace_helper(host, member, document),
            None => {
                self.edits.push(document.field_addition(&entry));
                Ok(())
            }
        }
    }
}

impl Document<'_> {
    /// Returns the edits that add this helper for `hosts`.
    ///
    /// # Errors
    /// A host occurs twice, or its value is not the name of a helper.
    pub fn plan_helpers(&self, hosts: &[String]) -> Result<HelperPlan, ParseError> {
        let mut helper_plan = HelperPlan::default();
        self.refuse_repeated_entries(hosts)?;
        let section = self.object_field(self.format.section())?;
        let mut missing = Vec::new();
        for host in hosts {
            match self.unique_member(section.as_ref(), host)? {
                None => missing.push(host),
                Some(entry) => helper_plan.set_helper(host, entry, self)?,
            }
        }
        if !missing.is_empty() {
            helper_plan.creates_section = section.is_none();
            helper_plan
                .edits
                .push(self.addition(section.as_ref(), &missing));
        }
        helper_plan.edits.sort_by_key(|edit| edit.at.start);
        Ok(helper_plan)
    }

    /// Returns the edits that remove this helper for `hosts`, each with the helper to
    /// restore, if any. If `created` and no entry is left, `credHelpers` is removed, too.
    /// Entries with other helpers stay.
    pub fn remove_helpers(&self, hosts: &[(String, Option<String>)], created: bool) -> Vec<Edit> {
        let Some((root, section)) = self.root.as_ref().zip(self.section()) else {
            return Vec::new();
        };
        let former = |member: &Member<'_>| {
            let mut hosts = hosts.iter().filter(|_| self.is_ours(member));
            hosts.find(|(host, _)| member.is(host))
        };
        let is_gone = |member: &Member<'_>| {
            matches!(former(member), Some((_, None))) && self.has_only_helper(member)
        };
        if created && !section.members.is_empty() && section.members.iter().all(is_gone) {
            return removal(root, &|member| member.is_field(self.format.section()));
        }
        let mut edits = removal(&section, &is_gone);
        for member in section.members.iter().filter(|member| !is_gone(member)) {
            if let Some((_, former)) = former(member) {
                edits.extend(self.former_helper(member, former.as_deref()));
            }
        }
        edits.sort_by_key(|edit| edit.at.start);
        edits
    }

    /// Returns whether an entry consists of its helper.
    fn has_only_helper(&self, entry: &Member<'_>) -> bool {
        let fields = object(self.text, entry.value, "").map(|entry| entry.members.len());
        self.format == Format::Docker || fields == Ok(1)
    }

    /// Returns the edits that give an entry its former helper, or none.
    fn former_helper(&self, entry: &Member<'_>, former: Option<&str>) -> Vec<Edit> {
        let replacement = |member: &Member<'_>, former: &str| Edit {
            at: member.value_at.clone(),
            text: quoted(former),
        };
        let object = object(self.text, entry.value, "").ok();
        let field = object.as_ref().and_then(|object| object.field(HOST_HELPER));
        match (former, self.format, field, &object) {
            (Some(former), Format::Docker, _, _) => vec![replacement(entry, former)],
            (Some(former), _, Some(field), _) => vec![replacement(field, former)],
            (None, Format::Regctl, _, Some(object)) => {
                removal(object, &|member| member.is_field(HOST_HELPER))
            }
            _ => Vec::new(),
        }
    }

    /// Returns the edits that remove the passwords for which `is_moved` returns true.
    pub fn remove_auth_entries(
        &self,
        further: &[Registry],
        is_moved: &dyn Fn(&Registry, &Credential) -> bool,
    ) -> Vec<Edit> {
        let Some(logins) = self.logins() else {
            return Vec::new();
        };
        let is_moved = |member: &Member<'_>| {
            let key = member.key.as_deref();
            let registry = key.and_then(|key| Registry::at(key, further));
            match registry.zip(self.auth_kind(member)) {
                Some((registry, AuthKind::Credential(credential))) => {
                    is_moved(&registry, &credential)
                }
                _ => false,
            }
        };
        if self.format == Format::Docker {
            return removal(&logins, &is_moved);
        }
        let moved = logins.members.iter().filter(|member| is_moved(member));
        let entries = moved.filter_map(|member| object(self.text, member.value, "").ok());
        let is_login = |member: &Member<'_>| HOST_LOGIN.iter().any(|name| member.is_field(name));
        entries
            .flat_map(|entry| removal(&entry, &is_login))
            .collect()
    }
}

/// Returns the text with those edits, which are in order and do not overlap.
pub fn apply_edits(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut end = 0;
    for edit in edits {
        result.push_str(&text[end..edit.at.start]);
        result.push_str(&edit.text);
        end = edit.at.end;
    }
    result + &text[end..]
}

/// Returns the edits that turn the new text back into the old one.
pub fn inverse_edits(text: &str, edits: &[Edit]) -> Vec<Edit> {
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

/// Returns how many bytes the edits before this one remove.
fn removed_before(edits: &[Edit], this: &Edit) -> usize {
    let before = edits.iter().take_while(|edit| *edit != this);
    before.map(|edit| edit.at.len()).sum()
}

/// Returns the edits that remove members of an object, each with its comma.
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

/// Returns a text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn with_helper(text: &str, hosts: &[&str]) -> String {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let helper_plan = Document::parse(text).unwrap().plan_helpers(&hosts).unwrap();
        let after = apply_edits(text, &helper_plan.edits);
        assert_eq!(
            apply_edits(&after, &inverse_edits(text, &helper_plan.edits)),
            text
        );
        let document = Document::parse(&after).unwrap();
        for host in &hosts {
            assert_eq!(document.helper_of(host), Some(HelperName::Ours), "{after}");
        }
        assert_eq!(with_helper_again(&after, &hosts), after);
        after
    }

    fn with_helper_again(text: &str, hosts: &[String]) -> String {
        let helper_plan = Document::parse(text).unwrap().plan_helpers(hosts).unwrap();
        assert_eq!(helper_plan.configured, hosts);
        apply_edits(text, &helper_plan.edits)
    }

    #[test]
    fn new_members_are_laid_out_like_the_rest_of_the_file() {
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
            assert_eq!(with_helper(text, &["us.icr.io"]), expected, "{text}");
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
    fn adding_and_removing_the_helper_restores_the_text() {
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
                let after = with_helper(&text, &["us.icr.io", "icr.io"]);
                let hosts = ["us.icr.io", "icr.io"].map(|host| (host.to_owned(), None));
                let document = Document::parse(&after).unwrap();
                let created = !text.contains("a.io\":\"a");
                let edits = document.remove_helpers(&hosts, created);
                assert_eq!(apply_edits(&after, &edits), text, "{after}");
                for member in &members {
                    let known = member.trim_end_matches('}');
                    assert!(after.contains(known), "{after}");
                }
            }
        }
    }

    #[test]
    fn deep_nesting_is_read() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            with_helper(&deep, &["us.icr.io"])
                .ends_with("]],\"credHelpers\":{\"us.icr.io\":\"icr\"}}")
        );
    }

    #[test]
    fn moved_passwords_are_removed_with_their_commas_and_nothing_else() {
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
                if members.is_empty() {
                    "{\n \"auths\": {}\n}".to_owned()
                } else {
                    format!("{{\n \"auths\": {{\n  {}\n }}\n}}", members.join(",\n  "))
                }
            };
            let text = join(&members);
            let document = Document::parse(&text).unwrap();
            let edits =
                document.remove_auth_entries(&[], &|_, credential| credential.username == "u");
            assert_eq!(apply_edits(&text, &edits), join(&left), "{text}");
            assert!(document.remove_auth_entries(&[], &|_, _| false).is_empty());
        }
    }
}
