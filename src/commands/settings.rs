//! `settings`: what holds, and who says so.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::print;
use super::print_json;
use super::screen::Screen;
use super::table;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Result;
use crate::error::one_line;
use crate::iam::trusted_profile::TrustedProfile;
use crate::settings::CredentialKind;
use crate::settings::Origin;
use crate::settings::Profile;
use crate::settings::Settings;
use crate::settings::SettingsFile;

/// The most characters of a cell: a path may be long, but not endless.
const LONGEST_CELL: usize = 4096;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr settings           as a table
  docker-credential-icr settings --json    as JSON
  ICR_PROFILE=team-a docker-credential-icr settings";

/// Print every setting that holds, and where it comes from
///
/// Values come from environment variables, your settings file, the system's
/// settings file, and defaults, the first that says something. There are no
/// secrets in them.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let settings = context.settings()?;
    match arguments.json {
        true => print_json(stdio, &as_json(&settings)),
        false => {
            let screen = Screen::of(stdio, context);
            print(stdio, &as_tables(&settings, screen))
        }
    }
}

/// The values that a settings file and variables have in common, and those that
/// variables alone set.
fn values(settings: &Settings) -> [(&'static str, Value); 10] {
    let limits = settings.limits;
    let profile = settings.chosen_profile();
    [
        ("keychain", settings.keychain.name().into()),
        ("namespace", settings.namespace.clone().into()),
        ("deadline", limits.deadline.as_secs().into()),
        ("connect-timeout", limits.connect.as_secs().into()),
        ("attempt-timeout", limits.attempt.as_secs().into()),
        ("background-refresh", settings.background_refresh.into()),
        (
            "working-directory-credentials",
            settings.working_directory_credentials.into(),
        ),
        ("profile", json!(profile.map(|profile| &profile.name))),
        (
            "source",
            json!(settings.forced_source().map(|source| source.name())),
        ),
        (
            "iam-endpoint",
            json!(settings.iam_endpoint().map(|endpoint| endpoint.base())),
        ),
    ]
}

/// A profile's values under the keys of its table; null is what it leaves open.
fn of_profile(profile: &Profile) -> [(&'static str, Value); 7] {
    let (trusted_profile, account) = match &profile.trusted_profile {
        None => (None, None),
        Some(TrustedProfile::Id(text) | TrustedProfile::Crn(text)) => (Some(text), None),
        Some(TrustedProfile::Name { name, account }) => (Some(name), account.as_ref()),
    };
    let endpoint = profile.iam_endpoint.as_ref();
    let file = profile.file.as_ref().map(|path| path.display().to_string());
    [
        ("source", json!(profile.source.map(|source| source.name()))),
        ("trusted-profile", json!(trusted_profile)),
        ("account", json!(account)),
        ("iam-endpoint", json!(endpoint.map(|it| it.base()))),
        ("private-endpoints", profile.private_endpoints.into()),
        ("credential", profile.handed_out().name().into()),
        ("file", json!(file)),
    ]
}

fn as_json(settings: &Settings) -> Value {
    let origin = |key: &str| origin_as_json(settings.origin(key));
    let values: Map<String, Value> = values(settings)
        .into_iter()
        .map(|(key, value)| (key.into(), json!({"value": value, "origin": origin(key)})))
        .collect();
    let registries: Vec<Value> = settings
        .registries
        .iter()
        .map(|host| json!({"host": host.host(), "origin": origin(&format!("registries.{host}"))}))
        .collect();
    let mappings: Map<String, Value> = settings
        .mapped_registries()
        .map(|(host, profile)| {
            let origin = origin(&format!("registry.{host}"));
            let mapping = json!({"profile": profile, "origin": origin});
            (host.to_string(), mapping)
        })
        .collect();
    let files = settings.files().iter().map(|file| {
        let path = file.path.display().to_string();
        json!({"path": path, "exists": file.exists})
    });
    json!({
        "settings": values,
        "registries": registries,
        "profile": profiles_as_json(settings),
        "registry": mappings,
        "files": files.collect::<Vec<_>>(),
    })
}

fn profiles_as_json(settings: &Settings) -> Map<String, Value> {
    let profiles = settings
        .profile_names()
        .filter_map(|name| settings.profile(name));
    let object = |profile: &Profile| {
        let values = of_profile(profile).map(|(key, value)| (key.to_owned(), value));
        let mut object = Map::from_iter(values);
        let origin = settings.origin(&format!("profile.{}", profile.name));
        object.insert("origin".into(), origin_as_json(origin));
        Value::Object(object)
    };
    profiles
        .map(|profile| (profile.name.clone(), object(profile)))
        .collect()
}

fn origin_as_json(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({"kind": "default"}),
        Origin::File(path) => json!({"kind": "file", "path": path.display().to_string()}),
        Origin::Variable(name) => json!({"kind": "variable", "name": name}),
    }
}

fn as_tables(settings: &Settings, screen: Screen) -> String {
    let mut rows = Vec::new();
    for (key, value) in values(settings) {
        rows.push(row(
            key,
            &shown(&value),
            &shown_origin(settings.origin(key)),
        ));
    }
    for host in &settings.registries {
        let origin = settings.origin(&format!("registries.{host}"));
        rows.push(row("registries", host.host(), &shown_origin(origin)));
    }
    for name in settings.profile_names() {
        rows.extend(
            settings
                .profile(name)
                .map(|it| profile_rows(it, settings))
                .into_iter()
                .flatten(),
        );
    }
    for (host, profile) in settings.mapped_registries() {
        let origin = settings.origin(&format!("registry.{host}"));
        let key = format!("registry.\"{host}\".profile");
        rows.push(row(&key, profile.unwrap_or(NOTHING), &shown_origin(origin)));
    }
    let files: Vec<[String; 2]> = settings.files().iter().map(file_row).collect();
    format!(
        "{}\n\nSettings files, the last is the strongest:\n{}",
        table::shown(&["SETTING", "VALUE", "FROM"], &rows, screen),
        table::shown(&["FILE", "STATE"], &files, screen)
    )
}

/// What a profile says; what it leaves open is left out.
fn profile_rows(profile: &Profile, settings: &Settings) -> Vec<[String; 3]> {
    let name = &profile.name;
    let origin = settings.origin(&format!("profile.{name}"));
    let values = of_profile(profile).into_iter();
    values
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| {
            let key_of_table = format!("profile.{name}.{key}");
            let is_default = match key {
                "private-endpoints" => !profile.private_endpoints,
                "credential" => profile.handed_out() == CredentialKind::default(),
                _ => false,
            };
            let origin = if is_default { &Origin::Default } else { origin };
            row(&key_of_table, &shown(&value), &shown_origin(origin))
        })
        .collect()
}

/// Stands where nothing was chosen.
const NOTHING: &str = "-";

fn row(key: &str, value: &str, origin: &str) -> [String; 3] {
    [key, value, origin].map(|cell| one_line(cell, LONGEST_CELL))
}

fn file_row(file: &SettingsFile) -> [String; 2] {
    let state = if file.exists { "read" } else { "not there" };
    let path = file.path.display().to_string();
    [path, state.to_owned()].map(|cell| one_line(&cell, LONGEST_CELL))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown_origin(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".into(),
        Origin::File(path) => path.display().to_string(),
        Origin::Variable(name) => format!("${name}"),
    }
}
