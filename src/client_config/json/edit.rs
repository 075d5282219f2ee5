//! The smallest changes of a client's file, and their inverse.

use std::ops::Range;

use super::AUTHS;
use super::Document;
use super::HELPER;
use super::HELPERS;
use super::ParseError;
use super::PlainKind;
use super::parse::Member;
use super::parse::Object;
use super::parse::at;
use crate::credential::Credential;
use crate::registry::Registry;

/// A piece of a text that another one takes the place of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// Which bytes.
    pub at: Range<usize>,
    /// What is there instead.
    pub text: String,
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

impl Document<'_> {
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

/// A host or a helper's name as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

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

    #[test]
    fn deep_nesting_is_read() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            named(&deep, &["us.icr.io"]).ends_with("]],\"credHelpers\":{\"us.icr.io\":\"icr\"}}")
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
}
