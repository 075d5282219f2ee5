//! Where the kubelet of this machine has the configuration of its credential providers.

use std::path::Path;
use std::path::PathBuf;

use super::distribution::Distribution;
use super::unit::Files;
use super::unit::Unit;

/// The size limit of a file, in bytes.
pub(super) const MAX_SIZE: u64 = 1024 * 1024;

/// The flags of the kubelet.
const FLAGS: [&str; 2] = [
    "--image-credential-provider-config",
    "--image-credential-provider-bin-dir",
];

/// The files that usually set the flags, where no unit says which: kubeadm's and those of packages.
const FLAG_FILES: [&str; 3] = [
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
];

/// The directory of K3s and RKE2, which need no flags.
const RANCHER: &str = "/var/lib/rancher/credentialprovider";

/// The flags as keys of K3s and RKE2.
const RANCHER_KEYS: [&str; 2] = [
    "image-credential-provider-config",
    "image-credential-provider-bin-dir",
];

/// The paths as keys of MicroShift.
pub(super) const MICROSHIFT_KEYS: [&str; 2] = [
    "imageCredentialProviderConfigPath",
    "imageCredentialProviderBinDir",
];

/// The files with the settings of distributions, the directories with more of them, and the keys.
const SETTINGS: [(&str, &str, [&str; 2]); 3] = [
    (
        "/etc/rancher/k3s/config.yaml",
        "/etc/rancher/k3s/config.yaml.d",
        RANCHER_KEYS,
    ),
    (
        "/etc/rancher/rke2/config.yaml",
        "/etc/rancher/rke2/config.yaml.d",
        RANCHER_KEYS,
    ),
    (
        "/etc/microshift/config.yaml",
        "/etc/microshift/config.d",
        MICROSHIFT_KEYS,
    ),
];

/// Where the kubelet's configuration and its programs are.
pub(super) struct Location {
    pub(super) config: PathBuf,
    pub(super) programs: Option<PathBuf>,
    /// This program, if it is not yet among the others.
    pub(super) staged: Option<PathBuf>,
}

impl Location {
    pub(super) fn new(config: PathBuf, programs: Option<PathBuf>) -> Self {
        Self {
            config,
            programs,
            staged: None,
        }
    }
}

/// What names the kubelet's configuration or its programs.
pub(super) struct Named {
    pub(super) config: Option<PathBuf>,
    pub(super) programs: Option<PathBuf>,
    /// The file that names them.
    pub(super) source: PathBuf,
    /// Whether they are flags, of which the kubelet needs both or none.
    pub(super) are_flags: bool,
}

/// Finds the configuration of the kubelet on this machine.
pub(super) fn location(root: &Path, distribution: Option<Distribution>) -> Option<Location> {
    let files = Files::new(root);
    let found = named(&files, distribution).and_then(|named| {
        let config = named.config?;
        Some(Location::new(config, named.programs))
    });
    found.or_else(|| {
        let config = root
            .join(RANCHER.trim_start_matches('/'))
            .join("config.yaml");
        let programs = config.with_file_name("bin");
        config
            .exists()
            .then(|| Location::new(config, Some(programs)))
    })
}

/// Finds what names the configuration or the programs. A distribution's usual paths need no name.
pub(super) fn named(files: &Files<'_>, distribution: Option<Distribution>) -> Option<Named> {
    let units = distribution.unwrap_or(Distribution::Kubeadm).units();
    let units: Vec<Unit> = units
        .iter()
        .filter_map(|name| Unit::read(files, name))
        .collect();
    let found = if units.is_empty() {
        FLAG_FILES.iter().rev().find_map(|path| {
            let text = files.read(Path::new(path)).ok()??;
            named_in(&text, path.into())
        })
    } else {
        units.iter().find_map(in_unit)
    };
    found.or_else(|| in_settings(files))
}

/// Finds the flags in the command line of a unit. A program that is started between may use
/// variables that are not in the command line.
fn in_unit(unit: &Unit) -> Option<Named> {
    let source = FLAGS.iter().find_map(|flag| unit.source_of(flag));
    let source = source.unwrap_or(Path::new("the kubelet's unit")).to_owned();
    named_in(&unit.command_line(), source.clone()).or_else(|| {
        let values: Vec<&str> = unit.values().collect();
        named_in(&values.join("\n"), source)
    })
}

fn named_in(text: &str, source: PathBuf) -> Option<Named> {
    let [config, programs] = FLAGS.map(|name| flag(text, name));
    (config.is_some() || programs.is_some()).then_some(Named {
        config,
        programs,
        source,
        are_flags: true,
    })
}

/// Finds the paths in the settings of K3s, RKE2 and MicroShift, of which a later file counts more.
fn in_settings(files: &Files<'_>) -> Option<Named> {
    let mut found = None;
    for (file, directory, [config, programs]) in SETTINGS {
        let more = files.entries(Path::new(directory));
        for path in [PathBuf::from(file)].into_iter().chain(more) {
            let Ok(Some(text)) = files.read(&path) else {
                continue;
            };
            if let Some(config) = setting(&text, config) {
                found = Some(Named {
                    config: Some(config),
                    programs: setting(&text, programs),
                    source: path,
                    are_flags: false,
                });
            }
        }
    }
    found
}

/// Returns the path that is the value of a key, in a YAML text with a line for each key.
pub(super) fn setting(text: &str, key: &str) -> Option<PathBuf> {
    let mut values = text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix(key)?.strip_prefix(':')?;
        let value = rest.split(" #").next()?.trim();
        let value = value.trim_matches(['"', '\'']);
        value.starts_with('/').then(|| PathBuf::from(value))
    });
    values.next_back()
}

/// Returns the last value of a flag, outside of comments. It may be no absolute path.
fn flag(text: &str, name: &str) -> Option<PathBuf> {
    let mut values = text.lines().rev().filter_map(|line| {
        // The kubelet takes _ for - in names.
        let names = line.replace('_', "-");
        let at = names
            .rfind(name)
            .filter(|_| !line.trim_start().starts_with('#'))?;
        let rest = line.get(at + name.len()..)?;
        let rest = rest.trim_start_matches(['=', ' ', '\t', '"', '\'']);
        let end = rest
            .find([' ', '\t', '"', '\'', '\\'])
            .unwrap_or(rest.len());
        rest.get(..end)
    });
    values.next().map(PathBuf::from)
}

/// Returns the paths in a directory, sorted.
pub(super) fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Returns the files of a directory of configurations that the kubelet reads, sorted.
pub(super) fn config_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = entries(directory);
    files.retain(|path| {
        let extension = path.extension().and_then(|it| it.to_str());
        let is_directory = path.symlink_metadata().is_ok_and(|it| it.is_dir());
        extension.is_some_and(|it| ["json", "yaml", "yml"].contains(&it)) && !is_directory
    });
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_flags_are_found() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(location(root.path(), None).is_none());
        write("var/lib/rancher/credentialprovider/config.yaml", "");
        let found = location(root.path(), None).unwrap();
        assert!(found.config.ends_with("credentialprovider/config.yaml"));
        write(
            "etc/rancher/k3s/config.yaml.d/a.yaml",
            "image-credential-provider-config: \"/etc/k3s.yaml\" # ours\nimage-credential-provider-bin-dir: /opt/k3s\n",
        );
        let found = location(root.path(), None).unwrap();
        assert_eq!(found.config, Path::new("/etc/k3s.yaml"));
        assert_eq!(found.programs.as_deref(), Some(Path::new("/opt/k3s")));
        write(
            "etc/default/kubelet",
            "#KUBELET_EXTRA_ARGS=--image-credential-provider-config=/old\nKUBELET_EXTRA_ARGS=\"--v=2 --image-credential-provider-config=/etc/a.yaml --image-credential-provider-bin-dir /opt/bin\"\n",
        );
        let found = location(root.path(), None).unwrap();
        assert_eq!(found.config, Path::new("/etc/a.yaml"));
        assert_eq!(found.programs.as_deref(), Some(Path::new("/opt/bin")));
        write(
            "usr/lib/systemd/system/kubelet.service",
            "[Service]\nEnvironmentFile=-/etc/kubernetes/kubelet.env\nExecStart=/usr/bin/kubelet $ARGS\n",
        );
        let found = location(root.path(), None).unwrap();
        assert_eq!(found.config, Path::new("/etc/k3s.yaml"), "no unit reads it");
        write(
            "etc/kubernetes/kubelet.env",
            "ARGS=\"--image_credential_provider_config=/etc/b.yaml --image-credential-provider-bin-dir=/b\"\n",
        );
        let found = location(root.path(), None).unwrap();
        assert_eq!(found.config, Path::new("/etc/b.yaml"));
    }
}
