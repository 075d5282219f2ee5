//! Which files `kubelet install` writes on a machine.

use std::path::Path;
use std::path::PathBuf;

use super::record::Kind;
use super::record::NewFile;
use super::record::content;
use super::record::failed;
use crate::client_config::kubelet_flags;
use crate::client_config::kubelet_provider_edit;
use crate::commands::kubelet::PROVIDER;
use crate::commands::kubelet::distribution::Distribution;
use crate::commands::kubelet::distribution::MICROSHIFT_SNIPPET;
use crate::commands::kubelet::location;
use crate::commands::kubelet::location::Location;
use crate::commands::kubelet::unit::Files;
use crate::commands::kubelet::unit::Unit;
use crate::error::Error;
use crate::error::Result;

/// The mode of files without secrets.
const MODE: u32 = 0o644;

/// The files of an installation.
pub(super) struct Plan {
    /// The configuration: a file, or a directory of files.
    pub(super) location: Location,
    /// The directory of the programs.
    pub(super) programs: PathBuf,
    /// The files, in the order in which they are written.
    pub(super) files: Vec<NewFile>,
    /// The flags that are added; empty if the kubelet has them.
    pub(super) flags: String,
    /// The units that may run the kubelet, with blanks between them.
    pub(super) unit: String,
    /// The program of the kubelet: its path, or its name if the unit starts another one.
    pub(super) kubelet: PathBuf,
    pub(super) distribution: Distribution,
}

/// Plans the installation of a program, with a configuration of it alone.
///
/// # Errors
/// The distribution is unknown, or its nodes cannot be changed. A file cannot be read or changed.
pub(super) fn plan(
    distribution: Option<Distribution>,
    own: &str,
    program: &[u8],
    root: &Path,
) -> Result<Plan> {
    let distribution = distribution.or_else(|| Distribution::of_machine(root));
    let distribution = distribution.ok_or_else(|| {
        Error::user("cannot install the provider: this machine is no node of a known distribution")
            .with_hint("Name the distribution with --for, and another root directory with --root")
    })?;
    refuse_unchangeable(distribution)?;
    let (file, directory) = distribution.paths();
    refuse_incomplete(distribution, root)?;
    let (location, flags, of_flags) = match location::location(root, Some(distribution)) {
        Some(found) => (found, String::new(), None),
        None => {
            let flags = Distribution::command_line(file, directory);
            let new = flags_file(distribution, own, &flags, root)?;
            let location = Location::new(file.into(), Some(directory.into()));
            (location, flags, new)
        }
    };
    let programs = location.programs.clone().ok_or_else(|| {
        Error::user(
            "nothing was changed: the kubelet's settings name no directory of credential providers",
        )
        .with_hint("Set both paths, or none of them")
    })?;
    let config = if location.config.is_dir() {
        location.config.join(format!("{PROVIDER}.yaml"))
    } else {
        location.config.clone()
    };
    let files = [
        NewFile {
            kind: Kind::Program,
            path: programs.join(PROVIDER),
            content: program.to_owned(),
            mode: 0o755,
        },
        NewFile {
            kind: Kind::Config,
            content: config_text(&config, own)?.into_bytes(),
            path: config,
            mode: MODE,
        },
    ];
    Ok(Plan {
        files: files.into_iter().chain(of_flags).collect(),
        location,
        programs,
        flags,
        unit: unit(distribution, root),
        kubelet: kubelet(distribution, root),
        distribution,
    })
}

/// Returns the program of the kubelet, which is not always in a usual directory.
fn kubelet(distribution: Distribution, root: &Path) -> PathBuf {
    let name = Path::new(distribution.program());
    let files = Files::new(root);
    let units = Unit::read_all(&files, distribution.units());
    let programs = units.iter().filter_map(Unit::program);
    let mut programs = programs.filter(|program| program.ends_with(name) && files.exists(program));
    programs.next().unwrap_or_else(|| name.to_owned())
}

fn refuse_unchangeable(distribution: Distribution) -> Result<()> {
    let (reason, hint) = match distribution {
        Distribution::Talos => (
            "the system of a Talos node cannot be changed",
            "Use a system extension and the document that 'docker-credential-icr kubelet config --for talos' prints",
        ),
        Distribution::Openshift => (
            "OpenShift's machine config operator sets the flags of the kubelet, and undoes other changes",
            "Use pull secrets (docs/kubernetes.md)",
        ),
        _ => return Ok(()),
    };
    Err(Error::user(format!("nothing was changed: {reason}")).with_hint(hint))
}

/// # Errors
/// The kubelet has one of its two flags, or a path that depends on its working directory.
fn refuse_incomplete(distribution: Distribution, root: &Path) -> Result<()> {
    let Some(named) = location::named(&Files::new(root), Some(distribution)) else {
        return Ok(());
    };
    let is_relative = |path: &Option<PathBuf>| path.as_ref().is_some_and(|it| !it.is_absolute());
    let reason = if is_relative(&named.config) || is_relative(&named.programs) {
        "sets a path of the kubelet's credential providers that is not absolute"
    } else if named.config.is_none() {
        "sets --image-credential-provider-bin-dir without --image-credential-provider-config"
    } else if named.programs.is_none() && named.are_flags {
        "sets --image-credential-provider-config without --image-credential-provider-bin-dir"
    } else {
        return Ok(());
    };
    let source = named.source.display();
    Err(
        Error::user(format!("nothing was changed: {source} {reason}")).with_hint(format!(
            "Set both flags with absolute paths in {source}, or none of them"
        )),
    )
}

/// Returns the configuration with this provider, beside those that are there.
fn config_text(path: &Path, own: &str) -> Result<String> {
    let Some(text) = text(path)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(own.to_owned());
    };
    kubelet_provider_edit::with_provider(&text, own).ok_or_else(|| {
        let reason = kubelet_provider_edit::reason_against(&text, own);
        Error::user(format!("cannot add the provider to {}: {reason}", path.display()))
            .with_hint(format!("Check it with 'docker-credential-icr kubelet check {}', or add the provider that 'docker-credential-icr kubelet config' prints", path.display()))
    })
}

fn text(path: &Path) -> Result<Option<String>> {
    let bytes = content(path).map_err(|error| failed("cannot read", path, &error))?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| anyhow::anyhow!("it is not UTF-8 text"));
    text.map(Some)
        .map_err(|error| failed("cannot read", path, &error))
}

/// Returns the file that makes the kubelet read the configuration, if it needs one.
fn flags_file(
    distribution: Distribution,
    own: &str,
    flags: &str,
    root: &Path,
) -> Result<Option<NewFile>> {
    match distribution {
        Distribution::Microshift => Ok(Some(NewFile {
            kind: Kind::Snippet,
            path: MICROSHIFT_SNIPPET.into(),
            content: distribution.flags(own).into_bytes(),
            mode: MODE,
        })),
        Distribution::Kubeadm => kubeadm_flags(flags, root).map(Some),
        _ => Ok(None),
    }
}

/// Returns the file of variables with the flags.
///
/// # Errors
/// It is not sure that the kubelet gets the flags, and keeps those that it has.
fn kubeadm_flags(flags: &str, root: &Path) -> Result<NewFile> {
    let refused = |reason: String| {
        Error::user(format!("nothing was changed: {reason}")).with_hint(format!(
            "Add '{flags}' to the kubelet's arguments by hand, and run this again"
        ))
    };
    let files = Files::new(root);
    let unit = Unit::read(&files, "kubelet")
        .ok_or_else(|| refused("this machine has no unit kubelet.service".to_owned()))?;
    let path = variables_file(&unit, &files).map_err(refused)?;
    let text = text(&path)?.unwrap_or_default();
    let changed = kubelet_flags::with_flags(&text, flags).ok_or_else(|| {
        refused(format!(
            "cannot add flags to {}: KUBELET_EXTRA_ARGS has several lines, or quotation marks or backslashes in its value",
            path.display()
        ))
    })?;
    let files = files.with(path.clone(), Some(changed.clone()));
    let line = Unit::read(&files, "kubelet").map(|unit| unit.command_line());
    if !line.is_some_and(|line| line.contains(flags)) {
        return Err(refused(format!(
            "the kubelet would not get flags from {}",
            path.display()
        )));
    }
    Ok(NewFile {
        kind: Kind::Flags,
        path,
        content: changed.into_bytes(),
        mode: MODE,
    })
}

/// Returns the file of variables that sets the kubelet's extra flags, or may do so.
///
/// # Errors
/// Why it is not sure which one.
fn variables_file(unit: &Unit, files: &Files<'_>) -> Result<PathBuf, String> {
    let name = kubelet_flags::VARIABLE;
    if let Some(path) = &unit.unread {
        return Err(format!(
            "the kubelet's unit names {}, which cannot be read here",
            path.display()
        ));
    }
    if !unit.uses(name) {
        return Err(format!(
            "the unit of the kubelet reads no file with {name}: its command line does not have ${name}"
        ));
    }
    match unit.variable(name) {
        Some((_, None)) => Err(format!(
            "the unit of the kubelet sets {name} itself, with Environment="
        )),
        Some((_, Some(path))) if is_of_others(path) => Err(format!(
            "{name} is set in {}, which is not for the kubelet's administrator",
            path.display()
        )),
        Some((_, Some(path))) => Ok(path.to_owned()),
        None => {
            let named = unit.environment_files().iter().rev();
            let named: Vec<&PathBuf> = named
                .filter(|path| {
                    path.is_absolute() && path.file_name().is_some_and(|it| it == "kubelet")
                })
                .collect();
            let existing = named.iter().find(|path| files.exists(path));
            let path = existing.or(named.first()).map(|path| (*path).clone());
            path.ok_or_else(|| {
                format!("the unit of the kubelet reads no file with {name}, and none of the name kubelet")
            })
        }
    }
}

/// Returns whether a file is for all programs, or is written anew by kubeadm.
fn is_of_others(path: &Path) -> bool {
    path == Path::new("/etc/environment") || path.ends_with("kubeadm-flags.env")
}

/// Returns the units that may run the kubelet: those of the distribution that the machine has.
fn unit(distribution: Distribution, root: &Path) -> String {
    let files = Files::new(root);
    let units = distribution.units();
    let existing = units
        .iter()
        .copied()
        .filter(|unit| Unit::exists(&files, unit));
    let existing: Vec<&str> = existing.collect();
    if existing.is_empty() {
        return units.first().copied().unwrap_or_default().to_owned();
    }
    existing.join(" ")
}
