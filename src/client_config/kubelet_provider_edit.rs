//! Changes to the configuration of the kubelet's credential providers, which may have providers of
//! other programs: one entry is added, replaced or removed, and the rest of the text stays.

use serde_json::Value;
use yaml_rust2::Yaml;

use super::kubelet_provider::Provider;
use super::kubelet_provider::knows_tokens;
use super::kubelet_provider::parse;
use super::kubelet_provider::without_byte_order_mark;
use crate::text::yaml;

/// The key of the list.
const PROVIDERS: &str = "providers";

/// Returns a configuration with the provider of another one, instead of the provider of that name
/// if there is one. Returns `None` if the text cannot be changed.
///
/// `own` is a configuration with one provider, in the layout that `kubelet config` prints.
pub fn with_provider(text: &str, own: &str) -> Option<String> {
    let [provider] = &parse(own).ok()?[..] else {
        return None;
    };
    let name = &provider.name;
    let mut expected = parse(text).ok()?;
    if expected.contains(provider) {
        return Some(text.to_owned());
    }
    expected.retain(|other| other.name != *name);
    expected.push(provider.clone());
    let changed = if json_in(text).is_some() {
        json_with(text, own, name)
    } else {
        yaml_with(text, own, name)
    }?;
    is_as_expected(&changed, &expected).then_some(changed)
}

/// Returns why [`with_provider`] cannot change a text.
pub fn reason_against(text: &str, own: &str) -> String {
    let own_has_tokens =
        parse(own).is_ok_and(|own| own.iter().any(|it| it.token_attributes.is_some()));
    match parse(text) {
        Err(reasons) => reasons.join("; "),
        Ok(_) if own_has_tokens && !knows_tokens(text) => {
            "tokens of service accounts need 'apiVersion: kubelet.config.k8s.io/v1' in it"
                .to_owned()
        }
        Ok(_) => "it is not written with a line for each key".to_owned(),
    }
}

fn json_in(text: &str) -> Option<Value> {
    serde_json::from_str(without_byte_order_mark(text)).ok()
}

/// Returns a configuration without a provider; `Some("")` if there is no other one, which the
/// kubelet does not accept. Returns `None` if the text cannot be changed.
pub fn without_provider(text: &str, name: &str) -> Option<String> {
    let mut expected = parse(text).ok()?;
    expected.retain(|other| other.name != name);
    if expected.is_empty() {
        return Some(String::new());
    }
    let changed = match json_in(text) {
        Some(mut value) => {
            let providers = value.get_mut(PROVIDERS)?.as_array_mut()?;
            providers.retain(|provider| provider["name"] != name);
            serde_json::to_string_pretty(&value).ok()? + "\n"
        }
        None => Items::find(text)?.without(name),
    };
    is_as_expected(&changed, &expected).then_some(changed)
}

/// Compares providers, whose order matters only between those for the same image.
fn is_as_expected(text: &str, expected: &[Provider]) -> bool {
    parse(text).is_ok_and(|found| {
        found.len() == expected.len() && expected.iter().all(|provider| found.contains(provider))
    })
}

fn json_with(text: &str, own: &str, name: &str) -> Option<String> {
    let mut value = json_in(text)?;
    let documents = yaml::parse(own).ok()?;
    let own = json_of(&documents.first()?[PROVIDERS][0])?;
    let providers = value.get_mut(PROVIDERS)?.as_array_mut()?;
    providers.retain(|provider| provider["name"] != name);
    providers.push(own);
    Some(serde_json::to_string_pretty(&value).ok()? + "\n")
}

fn json_of(yaml: &Yaml) -> Option<Value> {
    Some(match yaml {
        Yaml::String(text) => Value::from(text.as_str()),
        Yaml::Boolean(value) => Value::from(*value),
        Yaml::Array(items) => items.iter().map(json_of).collect::<Option<_>>()?,
        Yaml::Hash(members) => {
            let members = members.iter();
            let members =
                members.map(|(key, value)| Some((key.as_str()?.to_owned(), json_of(value)?)));
            Value::Object(members.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn yaml_with(text: &str, own: &str, name: &str) -> Option<String> {
    let own = Items::find(own)?;
    let entry = own.lines.get(own.range())?;
    let text = Items::find(text)?.without(name);
    let items = Items::find(&text).or_else(|| Items::empty(&text))?;
    let mut lines: Vec<String> = items.lines.iter().map(|line| (*line).to_owned()).collect();
    // The text may have no newline at its end.
    if let Some(last) = items
        .end
        .checked_sub(1)
        .and_then(|last| lines.get_mut(last))
        && !last.ends_with('\n')
    {
        last.push('\n');
    }
    let entry = entry.iter().map(|line| {
        let line = line.get(own.indent..).unwrap_or(line);
        format!("{}{line}", " ".repeat(items.indent))
    });
    lines.splice(items.end..items.end, entry);
    Some(lines.concat())
}

/// The lines of a YAML text in which a list is written with a line for each `- `.
struct Items<'a> {
    lines: Vec<&'a str>,
    /// The first lines of the items.
    starts: Vec<usize>,
    /// The line after the last item, without comments after it.
    end: usize,
    /// The column of the `-`.
    indent: usize,
}

impl<'a> Items<'a> {
    /// Finds the list of providers. Returns `None` if it is written in another way.
    fn find(text: &'a str) -> Option<Self> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let list = list_line(&lines)?;
        let is_item = |line: &&str| line.trim_start().starts_with("- ");
        let mut after = lines.iter().skip(list + 1);
        let first = after
            .find(|line| !is_comment(line))
            .filter(|it| is_item(it))?;
        let indent = indent_of(first);
        let mut items = Self {
            starts: Vec::new(),
            end: list + 1,
            indent,
            lines,
        };
        for (index, line) in items.lines.iter().enumerate().skip(list + 1) {
            if is_comment(line) {
                continue;
            }
            let is_start = is_item(line) && indent_of(line) == indent;
            if !is_start && indent_of(line) <= indent {
                break;
            }
            if is_start {
                items.starts.push(index);
            }
            items.end = index + 1;
        }
        Some(items)
    }

    /// Returns the place of a list whose only item was removed.
    fn empty(text: &'a str) -> Option<Self> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        Some(Self {
            starts: Vec::new(),
            end: list_line(&lines)? + 1,
            indent: 2,
            lines,
        })
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.starts.first().copied().unwrap_or(self.end)..self.end
    }

    /// Returns the text without the item of this name.
    fn without(&self, name: &str) -> String {
        let range = self.range();
        let mut kept = self.lines.get(..range.start).unwrap_or_default().concat();
        let ends = self.starts.iter().skip(1).chain([&range.end]);
        for (start, end) in self.starts.iter().zip(ends) {
            let item = self.lines.get(*start..*end).unwrap_or_default();
            if !item.iter().any(|line| self.names(line, name)) {
                kept.push_str(&item.concat());
            }
        }
        kept + &self.lines.get(range.end..).unwrap_or_default().concat()
    }

    /// Returns whether a line is the `name` of an item.
    fn names(&self, line: &str, name: &str) -> bool {
        let key_at = self.indent + 2;
        let (Some(before), Some(rest)) = (line.get(..key_at), line.get(key_at..)) else {
            return false;
        };
        let is_key = before.trim().is_empty() || before.trim() == "-";
        let value = after_key(rest, "name").unwrap_or_default();
        let value = value.split(" #").next().unwrap_or_default().trim();
        is_key && value.trim_matches(['"', '\'']) == name
    }
}

fn list_line(lines: &[&str]) -> Option<usize> {
    let is_list = |line: &&str| {
        let rest = after_key(without_byte_order_mark(line), PROVIDERS).map(str::trim);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
    };
    lines.iter().position(is_list)
}

/// Returns what is after a key at the beginning of a line, which may have quotation marks.
fn after_key<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut quotes = ["", "\"", "'"].into_iter();
    quotes.find_map(|quote| {
        let rest = line.strip_prefix(quote)?.strip_prefix(key)?;
        rest.strip_prefix(quote)?.strip_prefix(':')
    })
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n  - name: icr\n    apiVersion: credentialprovider.kubelet.k8s.io/v1\n    matchImages:\n      - \"us.icr.io\"\n    defaultCacheDuration: \"0s\"\n";
    const ECR: &str = "# of AWS\napiVersion: kubelet.config.k8s.io/v1\nproviders: # all\n- name: ecr-credential-provider # ours\n  matchImages:\n  - \"*.amazonaws.com\"\n  # twelve hours\n  defaultCacheDuration: 12h0m0s\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n# the end\nkind: CredentialProviderConfig\n";

    #[test]
    fn a_provider_is_added_replaced_and_removed_and_the_rest_stays() {
        let with = with_provider(ECR, OWN).unwrap();
        expect_test::expect![[r#"
            # of AWS
            apiVersion: kubelet.config.k8s.io/v1
            providers: # all
            - name: ecr-credential-provider # ours
              matchImages:
              - "*.amazonaws.com"
              # twelve hours
              defaultCacheDuration: 12h0m0s
              apiVersion: credentialprovider.kubelet.k8s.io/v1
            - name: icr
              apiVersion: credentialprovider.kubelet.k8s.io/v1
              matchImages:
                - "us.icr.io"
              defaultCacheDuration: "0s"
            # the end
            kind: CredentialProviderConfig
        "#]]
        .assert_eq(&with);
        assert_eq!(with_provider(&with, OWN).as_ref(), Some(&with));
        let changed = with_provider(&with, &OWN.replace("us.icr.io", "de.icr.io")).unwrap();
        assert_eq!(changed, with.replace("us.icr.io", "de.icr.io"));
        assert_eq!(without_provider(&with, "icr").as_deref(), Some(ECR));
        assert_eq!(without_provider(OWN, "icr").as_deref(), Some(""));
        let other = with_provider(OWN, &OWN.replace("us.icr", "de.icr"));
        assert_eq!(other, Some(OWN.replace("us.icr", "de.icr")));
        let without_end = with_provider(ECR.split("# the end").next().unwrap().trim_end(), OWN);
        assert_eq!(
            without_end, None,
            "it has no kind, so the kubelet refuses it"
        );
    }

    #[test]
    fn files_of_other_programs_are_changed_and_restored() {
        let quoted = ECR.replace("providers:", "\"providers\":");
        let quoted = quoted.replace("- name:", "- 'name':");
        for text in [
            quoted,
            format!("\u{feff}{ECR}---\n# no more\n"),
            format!("\u{feff}{}", ECR.split_once('\n').unwrap().1),
            format!("---\n{ECR}---\nproviders:\n- x\n"),
            ECR.replace('\n', "\r\n"),
        ] {
            let with = with_provider(&text, OWN).expect(&text);
            assert_eq!(parse(&with).unwrap().len(), 2, "{with}");
            assert_eq!(without_provider(&with, "icr"), Some(text));
        }
    }

    #[test]
    fn the_reason_against_a_change_is_named() {
        let tokens = format!(
            "{OWN}    tokenAttributes:\n      serviceAccountTokenAudience: iam\n      cacheType: ServiceAccount\n      requireServiceAccount: true\n"
        );
        let older = ECR.replace("kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v1beta1");
        let flow = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: [{name: x, apiVersion: credentialprovider.kubelet.k8s.io/v1, matchImages: [a], defaultCacheDuration: 1h}]\n";
        assert!(with_provider(ECR, &tokens).is_some() && with_provider(&older, OWN).is_some());
        for (text, reason) in [
            (&*older, "need 'apiVersion"),
            (flow, "a line for each key"),
            ("providers:", "apiVersion has to be"),
        ] {
            assert_eq!(with_provider(text, &tokens), None);
            let found = reason_against(text, &tokens);
            assert!(found.contains(reason), "{found}");
        }
    }

    #[test]
    fn json_is_changed_and_what_is_written_in_another_way_is_not() {
        let json = r#"{"apiVersion":"kubelet.config.k8s.io/v1","kind":"CredentialProviderConfig","providers":[{"name":"x","apiVersion":"credentialprovider.kubelet.k8s.io/v1beta1","matchImages":["*.example.com"],"defaultCacheDuration":"1h"}]}"#;
        let with = with_provider(json, OWN).unwrap();
        assert_eq!(parse(&with).unwrap().len(), 2);
        let without = without_provider(&with, "icr").unwrap();
        assert_eq!(parse(&without).unwrap(), parse(json).unwrap());
        let flow = ECR.replace("providers: # all\n-", "providers: [{}]\n#");
        for text in [&*flow, "", "providers: {", &ECR.replace("kind:", "kinds:")] {
            assert_eq!(with_provider(text, OWN), None, "{text}");
        }
    }
}
