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
use crate::commands::kubelet::location::MAX_SIZE;
use crate::error::Error;
use crate::error::Result;
use crate::fs;

/// The directories of systemd's units, of which the first counts most.
const UNITS: [&str; 4] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
];

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
    /// The unit that runs the kubelet.
    pub(super) unit: Option<&'static str>,
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
    let (location, flags, of_flags) = match location::location(root) {
        Some(found) => (found, String::new(), None),
        None => {
            let flags = Distribution::command_line(file, directory);
            let new = flags_file(distribution, own, &flags, root)?;
            let location = Location::new(file.into(), Some(directory.into()));
            (location, flags, new)
        }
    };
    let programs = location.programs.clone().ok_or_else(|| {
        Error::user("the kubelet has --image-credential-provider-config without --image-credential-provider-bin-dir")
            .with_hint("Set both flags, or none of them")
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
    })
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

/// Returns the configuration with this provider, beside those that are there.
fn config_text(path: &Path, own: &str) -> Result<String> {
    let Some(text) = text(path)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(own.to_owned());
    };
    kubelet_provider_edit::with_provider(&text, own).ok_or_else(|| {
        Error::user(format!("cannot add the provider to {}: it is invalid, or not written with a line for each key", path.display()))
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
        Distribution::Kubeadm => {
            let path = variables_file(root).ok_or_else(|| {
                Error::user("nothing was changed: the unit of the kubelet reads no file with KUBELET_EXTRA_ARGS, so its flags cannot be set")
                    .with_hint("Give the kubelet the flags that 'docker-credential-icr kubelet config --only flags' prints, and run this again")
            })?;
            let text = text(&path)?.unwrap_or_default();
            let changed = kubelet_flags::with_flags(&text, flags).ok_or_else(|| {
                Error::user(format!("cannot add flags to {}: KUBELET_EXTRA_ARGS has several lines or an open quotation mark", path.display()))
                    .with_hint("Write it on one line")
            })?;
            Ok(Some(NewFile {
                kind: Kind::Flags,
                path,
                content: changed.into_bytes(),
                mode: MODE,
            }))
        }
        _ => Ok(None),
    }
}

/// Returns the file of variables that the unit of the kubelet reads, besides kubeadm's own.
fn variables_file(root: &Path) -> Option<PathBuf> {
    let mut all = String::new();
    for directory in UNITS.iter().rev() {
        let directory = root.join(directory);
        let drop_ins = location::entries(&directory.join("kubelet.service.d"));
        for path in [directory.join("kubelet.service")]
            .into_iter()
            .chain(drop_ins)
        {
            all.push_str(&fs::read_regular(&path, MAX_SIZE).unwrap_or_default());
            all.push('\n');
        }
    }
    if !all.contains("$KUBELET_EXTRA_ARGS") && !all.contains("${KUBELET_EXTRA_ARGS}") {
        return None;
    }
    let mut files = all.lines().filter_map(|line| {
        let path = line.trim().strip_prefix("EnvironmentFile=")?;
        let path = path.trim_start_matches('-');
        (path.starts_with('/') && !path.ends_with("/kubeadm-flags.env")).then(|| path.into())
    });
    files.next_back()
}

/// Returns the unit that runs the kubelet.
fn unit(distribution: Distribution, root: &Path) -> Option<&'static str> {
    let exists = |unit: &&str| {
        UNITS.iter().any(|directory| {
            let path = root.join(directory).join(format!("{unit}.service"));
            fs::entry_exists(&path)
        })
    };
    let units = distribution.units();
    units
        .iter()
        .copied()
        .find(|unit| exists(unit))
        .or(units.first().copied())
}
