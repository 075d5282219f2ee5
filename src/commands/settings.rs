//! `settings`: shows each setting, and where it is set.

use std::time::Duration;

use super::print;
use super::print_json;
use super::screen::Screen;
use super::table;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Result;
use crate::error::one_line;
use crate::keychain::Backend;
use crate::keychain::Item;
use crate::keychain::Prompting;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;
use crate::settings::Settings;

mod json;

use json::FileJson;
use json::OriginJson;
use json::ProfileJson;
use json::SettingJson;
use json::SettingsAnswer;
use json::ValuesJson;

/// The maximum length of a cell, in characters: that of a path.
const MAX_CELL: usize = 4096;

/// The lifetime of the test item, in case this program ends before it deletes it.
const TEST_LIFETIME: Duration = Duration::from_secs(60);

/// The cell of a setting without a value.
const NOTHING: &str = "-";

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr settings
  docker-credential-icr settings --json
  ICR_PROFILE=team-a docker-credential-icr settings";

/// Show all settings and where they are set
///
/// Environment variables take precedence over your settings file, then come the
/// system's settings files and the defaults. Secrets are not shown. For the
/// keychain 'auto', the one that is used now is shown, too.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let settings = context.settings()?;
    let answer = SettingsAnswer::new(&settings);
    if arguments.json {
        return print_json(stdio, &answer);
    }
    let screen = Screen::of(stdio, context);
    let in_use = keychain_in_use(&settings, context);
    print(stdio, &to_text(&answer, in_use, screen))
}

/// Returns the keychain in which `auto` stores logins now: that of a test item.
fn keychain_in_use(settings: &Settings, context: &Context<'_>) -> Option<Backend> {
    if settings.keychain != KeychainChoice::Auto {
        return None;
    }
    let logins = context.keychains(settings, Prompting::Never).ok()?.logins;
    let item = Item::probe(&format!("settings-{:016x}", (context.random)()))
        .with_label("test item of docker-credential-icr settings", "test");
    logins
        .write(&item, &Secret::new("test"), Some(TEST_LIFETIME))
        .ok()?;
    let backend = logins.backend(&item).ok().flatten();
    let _ = logins.delete(&item);
    backend
}

/// Returns a table of the settings, and one of the settings files.
fn to_text(answer: &SettingsAnswer<'_>, in_use: Option<Backend>, screen: Screen) -> String {
    let SettingsAnswer {
        settings,
        registries,
        profiles,
        registry_profiles,
        files,
    } = answer;
    let mut rows = Vec::from(value_rows(settings));
    if let (Some(backend), Some([_, value, _])) = (in_use, rows.first_mut()) {
        *value = format!("{value} (now {})", backend.name());
    }
    for registry in registries {
        rows.push(row("registries", registry.host, &registry.origin));
    }
    rows.extend(profiles.iter().flat_map(profile_rows));
    for registry in registry_profiles {
        let namespace = registry.namespace.map(|it| format!("/{it}"));
        let namespace = namespace.unwrap_or_default();
        let key = format!("registry.\"{}{namespace}\".profile", registry.host);
        rows.push(row(
            &key,
            registry.profile.unwrap_or(NOTHING),
            &registry.origin,
        ));
    }
    let files: Vec<[String; 2]> = files.iter().map(file_row).collect();
    format!(
        "{}\n\nSettings files (later ones take precedence):\n{}",
        table::to_text(&["SETTING", "VALUE", "SET IN"], &rows, screen),
        table::to_text(&["FILE", "STATE"], &files, screen)
    )
}

fn value_rows(values: &ValuesJson<'_>) -> [[String; 3]; 15] {
    fn of<T: ToString>(key: &str, setting: &SettingJson<'_, T>) -> [String; 3] {
        row(key, &setting.value.to_string(), &setting.origin)
    }
    fn optional(key: &str, setting: &SettingJson<'_, Option<&str>>) -> [String; 3] {
        row(key, setting.value.unwrap_or(NOTHING), &setting.origin)
    }
    [
        of("keychain", &values.keychain),
        of("namespace", &values.namespace),
        of("deadline", &values.deadline),
        of("connect-timeout", &values.connect_timeout),
        of("attempt-timeout", &values.attempt_timeout),
        of("background-refresh", &values.background_refresh),
        of(
            "working-directory-credentials",
            &values.working_directory_credentials,
        ),
        of(
            "service-account-annotation",
            &values.service_account_annotation,
        ),
        optional("service-account-profile", &values.service_account_profile),
        of("service-account-fallback", &values.service_account_fallback),
        optional("proxy", &values.proxy),
        optional("no-proxy", &values.no_proxy),
        optional("profile", &values.profile),
        optional("source", &values.source),
        optional("iam-endpoint", &values.iam_endpoint),
    ]
}

/// Returns the rows of a profile, without those that are not set.
fn profile_rows(profile: &ProfileJson<'_>) -> Vec<[String; 3]> {
    let private_endpoints = profile.private_endpoints.to_string();
    let is_default_credential = profile.credential == CredentialKind::default().name();
    let values = [
        ("source", profile.source, false),
        ("trusted-profile", profile.trusted_profile, false),
        ("account", profile.account, false),
        ("iam-endpoint", profile.iam_endpoint, false),
        (
            "private-endpoints",
            Some(&*private_endpoints),
            !profile.private_endpoints,
        ),
        (
            "credential",
            Some(profile.credential),
            is_default_credential,
        ),
        ("file", profile.file.as_deref(), false),
    ];
    let rows = values.into_iter().filter_map(|(key, value, is_default)| {
        let origin = if is_default {
            &OriginJson::Default
        } else {
            &profile.origin
        };
        Some(row(
            &format!("profile.{}.{key}", profile.name),
            value?,
            origin,
        ))
    });
    rows.collect()
}

fn row(key: &str, value: &str, origin: &OriginJson<'_>) -> [String; 3] {
    let origin = match origin {
        OriginJson::Default => "default".to_owned(),
        OriginJson::File { path } => path.clone(),
        OriginJson::Variable { name } => format!("${name}"),
    };
    [key, value, &origin].map(|cell| one_line(cell, MAX_CELL))
}

fn file_row(file: &FileJson) -> [String; 2] {
    let state = if file.exists { "read" } else { "not found" };
    [&*file.path, state].map(|cell| one_line(cell, MAX_CELL))
}
