//! The configuration of the kubelet's credential providers, read as the kubelet reads it
//! (`kubernetes`, `pkg/credentialprovider/plugin/config.go`): strictly. An error ends the
//! kubelet at its start.

use std::collections::BTreeSet;

use yaml_rust2::Yaml;
use yaml_rust2::yaml::Hash;

use super::kubelet_values::go_seconds;
use super::kubelet_values::is_image_pattern;
use super::kubelet_values::is_qualified_name;
use crate::text::repeatable;
use crate::text::yaml;

/// The versions of the protocol; only the first has tokens of service accounts.
const PROTOCOLS: [&str; 3] = [
    "credentialprovider.kubelet.k8s.io/v1",
    "credentialprovider.kubelet.k8s.io/v1beta1",
    "credentialprovider.kubelet.k8s.io/v1alpha1",
];

/// The version of the configuration that has `tokenAttributes`.
const WITH_TOKENS: &str = "kubelet.config.k8s.io/v1";

/// An entry of `providers`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Provider {
    /// The file name of the program.
    pub name: String,
    /// The version of the protocol.
    pub api_version: String,
    /// The images for which it is asked.
    pub match_images: Vec<String>,
    /// How long an answer without a duration is kept, in seconds.
    pub default_cache_duration: u64,
    /// The arguments of the program.
    pub args: Vec<String>,
    /// The variables that are added.
    pub env: Vec<(String, String)>,
    /// How the tokens of service accounts are sent, if they are.
    pub token_attributes: Option<TokenAttributes>,
}

/// The tokens of service accounts that a provider gets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenAttributes {
    /// The audience of the tokens.
    pub audience: String,
    /// Whether the provider is not run without a token.
    pub requires_account: bool,
    /// The keys of the annotations that are sent, and those without which the provider is not run.
    pub annotations: Vec<String>,
}

/// Reads a file of the configuration: YAML or JSON.
///
/// # Errors
/// The reasons for which the kubelet does not start. They name keys, not values, which may be
/// secrets.
pub fn parse(text: &str) -> Result<Vec<Provider>, Vec<String>> {
    let mut reader = Reader::default();
    let providers = match first_document(text).map_err(|reason| vec![format!("it {reason}")])? {
        Some(Yaml::Hash(file)) => reader.file(&file),
        _ => {
            reader.refuse("", "it has to be one object");
            Vec::new()
        }
    };
    if reader.errors.is_empty() {
        Ok(providers)
    } else {
        Err(reader.errors)
    }
}

/// Returns whether the kubelet knows `tokenAttributes` in a configuration of this version.
pub(super) fn knows_tokens(text: &str) -> bool {
    let document = first_document(text).ok().flatten();
    document.is_some_and(|document| document["apiVersion"].as_str() == Some(WITH_TOKENS))
}

/// Returns the first document: the kubelet reads no other one.
fn first_document(text: &str) -> Result<Option<Yaml>, String> {
    let documents = yaml::parse_1_1(without_byte_order_mark(text))?;
    Ok(documents.into_iter().next())
}

/// Returns a text without what some editors write at its beginning.
pub(super) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Collects the errors of one file.
#[derive(Default)]
struct Reader {
    errors: Vec<String>,
}

impl Reader {
    fn refuse(&mut self, place: &str, reason: &str) {
        self.errors.push(if place.is_empty() {
            reason.to_owned()
        } else {
            format!("{place} {reason}")
        });
    }

    fn file(&mut self, file: &Hash) -> Vec<Provider> {
        self.known_keys("", file, &["apiVersion", "kind", "providers"]);
        let version = self.text(file, "", "apiVersion").unwrap_or_default();
        let is_known = version
            .strip_prefix("kubelet.config.k8s.io/")
            .is_some_and(|it| ["v1", "v1beta1", "v1alpha1"].contains(&it));
        if !is_known {
            self.refuse("apiVersion", "has to be kubelet.config.k8s.io/v1");
        }
        if self.text(file, "", "kind").as_deref() != Some("CredentialProviderConfig") {
            self.refuse("kind", "has to be CredentialProviderConfig");
        }
        let Some(Yaml::Array(entries)) = get(file, "providers") else {
            self.refuse("providers", "has to be a list");
            return Vec::new();
        };
        if entries.is_empty() {
            self.refuse("providers", "is empty");
        }
        let mut names = BTreeSet::new();
        let mut providers = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("providers[{index}]");
            let Yaml::Hash(entry) = entry else {
                self.refuse(&place, "has to be an object");
                continue;
            };
            let provider = self.provider(entry, &place);
            if provider.token_attributes.is_some() && version != WITH_TOKENS {
                let reason = "has tokenAttributes, which needs the apiVersion kubelet.config.k8s.io/v1 of the file";
                self.refuse(&place, reason);
            }
            if !names.insert(provider.name.clone()) {
                self.refuse(&format!("{place}.name"), "is that of another provider");
            }
            providers.push(provider);
        }
        providers
    }

    fn provider(&mut self, entry: &Hash, place: &str) -> Provider {
        self.known_keys(
            place,
            entry,
            &[
                "name",
                "matchImages",
                "defaultCacheDuration",
                "apiVersion",
                "args",
                "env",
                "tokenAttributes",
            ],
        );
        let name = self.text(entry, place, "name").unwrap_or_default();
        if name.is_empty() || [".", ".."].contains(&&*name) || name.contains(['/', ' ']) {
            let reason = "has to be the name of a file, without slashes and spaces";
            self.refuse(&format!("{place}.name"), reason);
        }
        let api_version = self.text(entry, place, "apiVersion").unwrap_or_default();
        if !PROTOCOLS.contains(&&*api_version) {
            let reason = "has to be credentialprovider.kubelet.k8s.io/v1, v1beta1 or v1alpha1";
            self.refuse(&format!("{place}.apiVersion"), reason);
        }
        let match_images = self.texts(entry, place, "matchImages");
        if match_images.is_empty() {
            self.refuse(&format!("{place}.matchImages"), "is missing or empty");
        }
        let invalid = match_images.iter().position(|it| !is_image_pattern(it));
        if let Some(index) = invalid {
            let reason = "has to be a host, with a port in digits and a path or without them";
            self.refuse(&format!("{place}.matchImages[{index}]"), reason);
        }
        let duration = self.text(entry, place, "defaultCacheDuration");
        let duration = duration.as_deref().and_then(go_seconds);
        if duration.is_none() {
            let reason = "has to be a duration such as \"0s\" or \"12h\"";
            self.refuse(&format!("{place}.defaultCacheDuration"), reason);
        }
        Provider {
            name,
            match_images,
            default_cache_duration: duration.unwrap_or_default(),
            args: self.texts(entry, place, "args"),
            env: self.env(entry, place),
            token_attributes: self.token_attributes(entry, place, &api_version),
            api_version,
        }
    }

    fn env(&mut self, entry: &Hash, place: &str) -> Vec<(String, String)> {
        let place = format!("{place}.env");
        let variables = match get(entry, "env") {
            None | Some(Yaml::Null) => return Vec::new(),
            Some(Yaml::Array(variables)) => variables,
            Some(_) => {
                self.refuse(&place, "has to be a list");
                return Vec::new();
            }
        };
        let mut env = Vec::new();
        for (index, variable) in variables.iter().enumerate() {
            let place = format!("{place}[{index}]");
            let Yaml::Hash(variable) = variable else {
                self.refuse(&place, "has to be an object");
                continue;
            };
            self.known_keys(&place, variable, &["name", "value"]);
            let name = self.text(variable, &place, "name");
            let value = self.text(variable, &place, "value");
            env.push((name.unwrap_or_default(), value.unwrap_or_default()));
        }
        env
    }

    fn token_attributes(
        &mut self,
        entry: &Hash,
        place: &str,
        version: &str,
    ) -> Option<TokenAttributes> {
        let place = format!("{place}.tokenAttributes");
        let attributes = match get(entry, "tokenAttributes")? {
            Yaml::Hash(attributes) => attributes,
            Yaml::Null => return None,
            _ => {
                self.refuse(&place, "has to be an object");
                return None;
            }
        };
        const REQUIRED: &str = "requiredServiceAccountAnnotationKeys";
        const OPTIONAL: &str = "optionalServiceAccountAnnotationKeys";
        self.known_keys(
            &place,
            attributes,
            &[
                "serviceAccountTokenAudience",
                "cacheType",
                "requireServiceAccount",
                REQUIRED,
                OPTIONAL,
            ],
        );
        if version != PROTOCOLS[0] {
            self.refuse(
                &place,
                "needs the apiVersion credentialprovider.kubelet.k8s.io/v1",
            );
        }
        let audience = self.text(attributes, &place, "serviceAccountTokenAudience");
        if audience.as_deref().unwrap_or_default().is_empty() {
            self.refuse(
                &format!("{place}.serviceAccountTokenAudience"),
                "is missing",
            );
        }
        let cache_type = self
            .text(attributes, &place, "cacheType")
            .unwrap_or_default();
        if !["Token", "ServiceAccount"].contains(&&*cache_type) {
            self.refuse(
                &format!("{place}.cacheType"),
                "has to be Token or ServiceAccount",
            );
        }
        let requires = get(attributes, "requireServiceAccount").and_then(Yaml::as_bool);
        if requires.is_none() {
            self.refuse(
                &format!("{place}.requireServiceAccount"),
                "has to be true or false",
            );
        }
        let required = self.texts(attributes, &place, REQUIRED);
        let optional = self.texts(attributes, &place, OPTIONAL);
        if !required.is_empty() && requires == Some(false) {
            let reason = "needs requireServiceAccount: true";
            self.refuse(&format!("{place}.{REQUIRED}"), reason);
        }
        let mut keys = required.iter().chain(&optional);
        if !keys.all(|key| is_qualified_name(key)) {
            self.refuse(&place, "has a key that no annotation can have");
        }
        let mut keys = BTreeSet::new();
        if !required.iter().chain(&optional).all(|key| keys.insert(key)) {
            self.refuse(&place, "has the key of an annotation twice");
        }
        Some(TokenAttributes {
            audience: audience.unwrap_or_default(),
            requires_account: requires == Some(true),
            annotations: [required, optional].concat(),
        })
    }

    fn known_keys(&mut self, place: &str, object: &Hash, known: &[&str]) {
        for key in object.keys() {
            let name = key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                let name = repeatable::quoted_name(name);
                let place = if place.is_empty() { "it" } else { place };
                self.refuse(place, &format!("has the unknown key {name}"));
            }
        }
    }

    /// Returns a text; `None` if it is missing.
    fn text(&mut self, object: &Hash, place: &str, key: &str) -> Option<String> {
        match get(object, key) {
            None | Some(Yaml::Null) => None,
            Some(Yaml::String(text)) => Some(text.clone()),
            Some(_) => {
                self.refuse(&path(place, key), "has to be a text");
                None
            }
        }
    }

    fn texts(&mut self, object: &Hash, place: &str, key: &str) -> Vec<String> {
        let list = match get(object, key) {
            None | Some(Yaml::Null) => return Vec::new(),
            Some(Yaml::Array(list)) => list,
            Some(_) => {
                self.refuse(&path(place, key), "has to be a list");
                return Vec::new();
            }
        };
        let texts = list
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned));
        let texts: Vec<String> = texts.collect();
        if texts.len() != list.len() {
            self.refuse(&path(place, key), "contains something else than texts");
        }
        texts
    }
}

fn path(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

fn get<'y>(object: &'y Hash, key: &str) -> Option<&'y Yaml> {
    object.get(&Yaml::String(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: icr-credential-provider
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    matchImages: ["us.icr.io"]
    defaultCacheDuration: "12h"
    args: ["kubelet"]
    env: [{name: A, value: "b"}]
    tokenAttributes:
      serviceAccountTokenAudience: iam
      cacheType: ServiceAccount
      requireServiceAccount: true
      requiredServiceAccountAnnotationKeys: ["a/b"]
"#;

    #[test]
    fn yaml_and_json_are_read() {
        let providers = parse(VALID).unwrap();
        let expected = Provider {
            name: "icr-credential-provider".into(),
            api_version: PROTOCOLS[0].into(),
            match_images: vec!["us.icr.io".into()],
            default_cache_duration: 12 * 3600,
            args: vec!["kubelet".into()],
            env: vec![("A".into(), "b".into())],
            token_attributes: Some(TokenAttributes {
                audience: "iam".into(),
                requires_account: true,
                annotations: vec!["a/b".into()],
            }),
        };
        assert_eq!(providers, [expected]);
        let json = r#"{"apiVersion":"kubelet.config.k8s.io/v1","kind":"CredentialProviderConfig","providers":[{"name":"x","apiVersion":"credentialprovider.kubelet.k8s.io/v1beta1","matchImages":["*.icr.io"],"defaultCacheDuration":"0s"}]}"#;
        assert_eq!(parse(json).unwrap()[0].name, "x");
        let of_1_1 = VALID.replace("Account: true", "Account: yes");
        assert_eq!(parse(&of_1_1), parse(VALID));
        let quoted = VALID.replace("\"b\"", "'yes'");
        assert_eq!(parse(&quoted).unwrap()[0].env[0].1, "yes");
    }

    #[test]
    fn what_the_kubelet_accepts_is_no_error() {
        let without_tokens = VALID.split("    tokenAttributes:").next().unwrap();
        for text in [
            format!("{without_tokens}    tokenAttributes:\n"),
            format!("{VALID}---\n"),
            format!("---{VALID}---\na: second document\n"),
            format!("\u{feff}{VALID}"),
            VALID.replace("env: [{name: A, value: \"b\"}]", "env:\n    # - name: A"),
            VALID.replace("\"us.icr.io\"", "\"us.icr.io:443\", 'u*.*:/x%20y'"),
        ] {
            assert_eq!(parse(&text).map(|it| it.len()), Ok(1), "{text}");
        }
    }

    #[test]
    fn what_ends_the_kubelet_is_an_error() {
        for (from, to, reason) in [
            (
                "kubelet.config.k8s.io/v1",
                "kubelet.config.k8s.io/v1beta1",
                "needs the apiVersion kubelet.config.k8s.io/v1 of the file",
            ),
            ("us.icr.io\"", "us.icr.io:*\"", "matchImages[0] has to be"),
            (
                "us.icr.io\"",
                "us.icr.io\", \"a b\"",
                "matchImages[1] has to be",
            ),
            ("kind: Cred", "kind: Cert", "kind has to be"),
            (
                "kubelet.config.k8s.io/v1",
                "v1",
                "apiVersion has to be kubelet.config",
            ),
            ("    args:", "    argz:", "unknown key \"argz\""),
            (
                "name: icr-credential-provider",
                "name: bin/icr",
                "the name of a file",
            ),
            ("\"us.icr.io\"", "", "matchImages is missing or empty"),
            ("\"12h\"", "\"soon\"", "has to be a duration"),
            ("\"12h\"", "12", "defaultCacheDuration has to be a text"),
            (
                "credentialprovider.kubelet.k8s.io/v1",
                "credentialprovider.kubelet.k8s.io/v1beta1",
                "needs the apiVersion",
            ),
            (
                "cacheType: ServiceAccount",
                "cacheType: Pod",
                "Token or ServiceAccount",
            ),
            (
                "requireServiceAccount: true",
                "requireServiceAccount: false",
                "needs requireServiceAccount: true",
            ),
            (
                "      requireServiceAccount: true\n",
                "",
                "requireServiceAccount has to be true or false",
            ),
            ("[\"a/b\"]", "[\"a/b\", \"a/b\"]", "twice"),
            ("[\"a/b\"]", "[\"a/b/c\"]", "no annotation can have"),
            ("[\"a/b\"]", "[\"-a\"]", "no annotation can have"),
            ("value: \"b\"", "value: yes", "value has to be a text"),
            ("value: \"b\"", "value: Off", "value has to be a text"),
            ("value: \"b\"", "value: n", "value has to be a text"),
            ("[\"kubelet\"]", "[on]", "something else than texts"),
            ("providers:\n", "providers: [\n", "not YAML"),
            ("    args:", "    name: y\n    args:", "not YAML"),
        ] {
            let text = VALID.replacen(from, to, 1);
            assert_ne!(text, VALID, "{from}");
            let errors = parse(&text).unwrap_err().join("; ");
            assert!(errors.contains(reason), "{to}: {errors}");
        }
        assert!(parse("").is_err());
        let twice = VALID.replacen("providers:\n", "providers:\n  - {name: icr-credential-provider, apiVersion: credentialprovider.kubelet.k8s.io/v1, matchImages: [x], defaultCacheDuration: 1s}\n", 1);
        assert_eq!(
            parse(&twice).unwrap_err(),
            ["providers[1].name is that of another provider"]
        );
    }
}
