//! JSON that has the secret in a member: the file of `ibmcloud iam api-key-create --file` and of
//! the console's download, service credentials, and the answers of `--output json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::SecretKind;
use super::Unusable;
use super::assignment::normalized;
use crate::secret::Secret;

/// The members of a JSON object. Their values are not copied.
type Object<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The members that may have the object with the secret: of service credentials (`ibmcloud resource
/// service-key`), and of Vault's answers (`vault kv get -format=json`), where it is `data.data`.
const OUTER_MEMBERS: [&str; 2] = ["credentials", "data"];

/// How many of these may be around the secret.
const MAX_DEPTH: usize = 2;

/// Returns the secret in a JSON object; `None` if the text is not meant as JSON.
///
/// # Errors
/// It is JSON without the secret, or broken.
pub(super) fn value(kind: SecretKind, text: &str) -> Result<Option<Secret>, Unusable> {
    if !is_meant_as_json(text) {
        return Ok(None);
    }
    if let Some(mut list) = list(text) {
        return match (list.len(), list.pop()) {
            (1, Some(only)) => Ok(Some(only)),
            _ => Err(Unusable::because("it is a list of several keys (JSON)")),
        };
    }
    // Some ways of setting a variable keep the backslashes of a shell.
    let unescaped = Zeroizing::new(text.replace("\\\"", "\""));
    let Some(file) = object(text).or_else(|| object(&unescaped)) else {
        return Err(Unusable::because("it is JSON that cannot be parsed"));
    };
    let value = nested_member(kind, &file, MAX_DEPTH);
    value.map(Some).ok_or(Unusable::because(match kind {
        SecretKind::ApiKey => "it is JSON without 'apikey'",
        _ => "it is JSON without a token",
    }))
}

/// Returns the texts of a JSON array of at least one text or of several objects. One object in an
/// array is what IBM's CLI prints.
fn list(text: &str) -> Option<Vec<Secret>> {
    if let Ok(texts) = serde_json::from_str::<Vec<Secret>>(text) {
        return Some(texts).filter(|texts| !texts.is_empty());
    }
    let objects = serde_json::from_str::<Vec<Object<'_>>>(text).ok()?;
    let texts = objects.iter().map(|_| Secret::new(""));
    Some(texts.collect()).filter(|texts: &Vec<Secret>| texts.len() > 1)
}

/// Returns whether a text in braces or brackets is JSON rather than a template
/// (`{{ secrets.KEY }}`) or an example (`[API_KEY]`).
fn is_meant_as_json(text: &str) -> bool {
    let inside = text.trim_start_matches('[').trim_start();
    let members = inside.strip_prefix('{').map(str::trim_start);
    inside == "]"
        || inside.starts_with('"')
        || members.is_some_and(|members| !members.starts_with('{'))
}

/// Returns a JSON object, or the only one of an array.
fn object(text: &str) -> Option<Object<'_>> {
    if let Ok(object) = serde_json::from_str(text) {
        return Some(object);
    }
    let [object] = serde_json::from_str::<[Object<'_>; 1]>(text).ok()?;
    Some(object)
}

/// Returns the secret of an object, or of an object in it.
fn nested_member(kind: SecretKind, object: &Object<'_>, depth: usize) -> Option<Secret> {
    let own = member(kind, object);
    if own.is_some() || depth == 0 {
        return own;
    }
    OUTER_MEMBERS.iter().find_map(|name| {
        let inner = self::object(object.get(*name)?.get())?;
        nested_member(kind, &inner, depth - 1)
    })
}

/// Returns the text of the member with the secret.
fn member(kind: SecretKind, object: &Object<'_>) -> Option<Secret> {
    let endings = kind.name_endings();
    let is_named = |name: &str| endings.contains(&&*normalized(name));
    let (_, value) = object.iter().find(|(name, _)| is_named(name))?;
    serde_json::from_str(value.get()).ok()
}
