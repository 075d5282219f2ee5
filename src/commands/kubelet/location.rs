//! Where the kubelet of this machine has the configuration of its credential providers.

use std::path::Path;
use std::path::PathBuf;

use super::distribution::Distribution;
use super::unit::Files;
use super::unit::Unit;

/// The size limit of a file, in bytes.
pub(super) const MAX_SIZE: u64 = 1024 * 1024;

/// The flags of the kubelet, without the dashes: K3s and RKE2 pass on flags without them, as in
/// `--kubelet-arg=NAME=VALUE`, and have keys of these names in their settings.
const FLAGS: [&str; 2] = [
    "image-credential-provider-config",
    "image-credential-provider-bin-dir",
];

/// The files that usually set the flags, where no unit says which: kubeadm's and those of packages.
const FLAG_FILES: [&str; 3] = [
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
];

/// The directory of K3s and RKE2, which need no flags.
const RANCHER: &str = "/var/lib/rancher/credentialprovider";

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
        FLAGS,
    ),
    (
        "/etc/rancher/rke2/config.yaml",
        "/etc/rancher/rke2/config.yaml.d",
        FLAGS,
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
            // The arguments of the kubelet (`kubelet-arg`) count more than the keys.
            let value = |key| flag(&text, key).or_else(|| setting(&text, key));
            if let Some(config) = value(config) {
                found = Some(Named {
                    config: Some(config),
                    programs: value(programs),
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
    let lines = text.lines().rev();
    let mut lines = lines.filter(|line| !line.trim_start().starts_with('#'));
    lines.find_map(|line| {
        // The kubelet takes _ for - in names.
        let names = line.replace('_', "-");
        let mut values = names.rmatch_indices(name).filter_map(|(at, _)| {
            let is_begin = |it: char| it.is_whitespace() || "-=\"'[,".contains(it);
            let before = line.get(..at)?.chars().next_back();
            let rest = line.get(at + name.len()..)?;
            let is_whole = before.is_none_or(is_begin) && rest.starts_with(['=', ' ', '\t']);
            let value = rest.trim_start_matches(['=', ' ', '\t', '"', '\'']);
            let end = value.find([' ', '\t', '"', '\'', '\\', ',', ']']);
            is_whole.then(|| value.get(..end.unwrap_or(value.len())))?
        });
        values.next().map(PathBuf::from)
    })
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

    #[test]
    fn arguments_that_are_passed_on_to_the_kubelet_are_found() {
        for text in [
            "k3s agent '--kubelet-arg=image-credential-provider-config=/a/image-credential-provider-config.yaml'",
            "k3s --image-credential-provider-config=/b --kubelet-arg image-credential-provider-config=/a/image-credential-provider-config.yaml --debug",
            "image-credential-provider-config: /b\nkubelet-arg:\n  - v=2\n  - \"image-credential-provider-config=/a/image-credential-provider-config.yaml\"\n",
            "kubelet-arg: [v=2,image-credential-provider-config=/a/image-credential-provider-config.yaml]",
        ] {
            let found = flag(text, FLAGS[0]);
            let expected = Path::new("/a/image-credential-provider-config.yaml");
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        for text in [
            "image-credential-provider-config: /b",
            "--x=/image-credential-provider-config=1",
            "#--image-credential-provider-config=/b",
            "",
        ] {
            assert_eq!(flag(text, FLAGS[0]), None, "{text}");
        }
    }
}
