//! What the kubelet of a machine would still use after `kubelet uninstall`.

use std::path::Path;
use std::path::PathBuf;

use super::Action;
use crate::client_config::kubelet_provider;
use crate::commands::kubelet::PROVIDER;
use crate::commands::kubelet::distribution::Distribution;
use crate::commands::kubelet::install::record::Entry;
use crate::commands::kubelet::install::record::Kind;
use crate::commands::kubelet::install::record::Store;
use crate::commands::kubelet::location;
use crate::commands::kubelet::location::Named;
use crate::commands::kubelet::unit::Files;
use crate::error::Error;
use crate::error::Result;

/// Keeps the flags if the configuration has providers that were added since the installation: the
/// kubelet would not run them any more.
///
/// # Errors
/// A copy cannot be read.
pub(super) fn keep_flags_of_others(actions: &mut [(Entry, Action)], store: &Store) -> Result<()> {
    let mut has_others = false;
    for (entry, action) in actions.iter() {
        if let (Kind::Config, Action::Replace(rest)) = (entry.kind, action) {
            let before = names(&store.before(entry)?.unwrap_or_default());
            has_others |= names(rest).iter().any(|name| !before.contains(name));
        }
    }
    for (entry, action) in actions.iter_mut().filter(|_| has_others) {
        let is_change = matches!(action, Action::Restore | Action::Replace(_));
        if is_change && [Kind::Flags, Kind::Snippet].contains(&entry.kind) {
            *action = Action::Keep;
        }
    }
    Ok(())
}

/// Returns the names of the providers in a configuration.
fn names(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let providers = kubelet_provider::parse(&text).unwrap_or_default();
    providers.into_iter().map(|it| it.name).collect()
}

/// # Errors
/// The kubelet's flags, settings or configuration would name what is deleted, so that it does not
/// start.
pub(super) fn refuse_if_used(
    actions: &[(Entry, Action)],
    store: &Store,
    root: &Path,
) -> Result<()> {
    let is_kubelet = store.record.unit.as_deref() == Some("kubelet");
    let distribution = if is_kubelet {
        Some(Distribution::Kubeadm)
    } else {
        Distribution::of_machine(root)
    };
    let mut files = Files::new(root);
    for (entry, action) in actions {
        if [Kind::Flags, Kind::Snippet].contains(&entry.kind) {
            files = after(files, entry, action, store)?;
        }
    }
    let named = location::named(&files, distribution);
    let program = actions
        .iter()
        .find(|(entry, _)| entry.kind == Kind::Program);
    let deleted_program = program.filter(|(entry, action)| is_deleted(entry, action));
    for (entry, action) in actions
        .iter()
        .filter(|(entry, _)| entry.kind == Kind::Config)
    {
        if let Some(named) = &named {
            refuse_config(entry, action, named)?;
        }
        if let (Action::Stay(now), Some(_)) = (action, deleted_program)
            && String::from_utf8_lossy(now).contains(PROVIDER)
        {
            return Err(still_named(&entry.path));
        }
    }
    let Some(named) = named else {
        return Ok(());
    };
    let is_changed = actions.iter().any(|(entry, action)| {
        entry.kind == Kind::Flags && matches!(action, Action::Restore | Action::Replace(_))
    });
    if is_changed && named.are_flags && named.config.is_some() != named.programs.is_some() {
        return Err(used(&named, "one of the two flags"));
    }
    match deleted_program {
        Some((entry, _)) => refuse_program(entry, actions, &named),
        None => Ok(()),
    }
}

/// Returns the files after an action.
fn after<'a>(files: Files<'a>, entry: &Entry, action: &Action, store: &Store) -> Result<Files<'a>> {
    let content = match action {
        Action::Nothing | Action::Stay(_) | Action::Keep => return Ok(files),
        Action::Restore => store.before(entry)?,
        Action::Replace(rest) => Some(rest.clone()),
    };
    let text = content.map(|content| String::from_utf8_lossy(&content).into_owned());
    Ok(files.with(entry.path.clone(), text))
}

fn is_deleted(entry: &Entry, action: &Action) -> bool {
    match action {
        Action::Nothing | Action::Stay(_) | Action::Keep => false,
        Action::Restore => !entry.has_before(),
        Action::Replace(rest) => rest.is_empty(),
    }
}

/// # Errors
/// The configuration is deleted, and named.
fn refuse_config(entry: &Entry, action: &Action, named: &Named) -> Result<()> {
    let is_named = named.config.as_ref().is_some_and(|config| {
        let is_only = || {
            location::config_files(config)
                .iter()
                .all(|it| *it == entry.path)
        };
        *config == entry.path || (entry.path.parent() == Some(config) && is_only())
    });
    if is_named && is_deleted(entry, action) {
        return Err(used(named, &entry.path.display().to_string()));
    }
    Ok(())
}

/// # Errors
/// The program is deleted, and its directory or itself is named.
fn refuse_program(entry: &Entry, actions: &[(Entry, Action)], named: &Named) -> Result<()> {
    let directory = entry.path.parent();
    if named.programs.as_deref() != directory {
        return Ok(());
    }
    if directory.is_some_and(|directory| others(directory, &entry.path).is_empty()) {
        return Err(used(named, &entry.path.display().to_string()));
    }
    let Some(config) = &named.config else {
        return Ok(());
    };
    let is_restored = |path: &PathBuf| actions.iter().any(|(entry, _)| entry.path == *path);
    let mut configs = location::config_files(config);
    configs.push(config.clone());
    for path in configs.into_iter().filter(|path| !is_restored(path)) {
        let text = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let is_user = kubelet_provider::parse(&text).map_or_else(
            |_| text.contains(PROVIDER),
            |providers| providers.iter().any(|it| it.name == PROVIDER),
        );
        if is_user {
            return Err(still_named(&path));
        }
    }
    Ok(())
}

/// Returns the other files in a directory.
fn others(directory: &Path, path: &Path) -> Vec<PathBuf> {
    let mut others = location::entries(directory);
    others.retain(|other| other != path);
    others
}

fn used(named: &Named, what: &str) -> Error {
    let source = named.source.display();
    let keys = if named.are_flags {
        "--image-credential-provider-config and --image-credential-provider-bin-dir"
    } else {
        "the paths of the credential providers"
    };
    Error::user(format!(
        "nothing was changed: {source} would still name {what}, and the kubelet would not start"
    ))
    .with_hint(format!("Remove {keys} from {source}, and run this again"))
}

fn still_named(path: &Path) -> Error {
    let path = path.display();
    Error::user(format!(
        "nothing was changed: {path} would still name the provider {PROVIDER}, and the kubelet would not start"
    ))
    .with_hint(format!(
        "Remove the provider from {path} by hand, and run this again"
    ))
}

/// Returns whether a snippet has the paths that this program wrote, beside other settings.
pub(super) fn is_own_snippet(text: &[u8], store: &Store) -> bool {
    let text = String::from_utf8_lossy(text);
    let files = &store.record.files;
    let path = |kind| {
        files
            .iter()
            .find(|entry| entry.kind == kind)
            .map(|entry| entry.path.clone())
    };
    let programs = path(Kind::Program).and_then(|path| Some(path.parent()?.to_owned()));
    let [config_key, programs_key] = location::MICROSHIFT_KEYS;
    programs.is_some()
        && location::setting(&text, config_key) == path(Kind::Config)
        && location::setting(&text, programs_key) == programs
}
