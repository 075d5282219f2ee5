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

/// The settings of K3s and RKE2, with the program and its variable and options for another file.
const RANCHER_SETTINGS: [(&str, &str, &str); 2] = [
    ("/etc/rancher/k3s/config.yaml", "k3s", "K3S_CONFIG_FILE"),
    ("/etc/rancher/rke2/config.yaml", "rke2", "RKE2_CONFIG_FILE"),
];
const CONFIG_OPTIONS: [&str; 2] = ["--config", "-c"];

/// The settings of MicroShift, and the directory with more of them.
const MICROSHIFT_SETTINGS: (&str, &str) =
    ("/etc/microshift/config.yaml", "/etc/microshift/config.d");

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
        let [config, programs] = rancher_defaults();
        let config = root.join(config.strip_prefix("/").unwrap_or(&config));
        let programs = root.join(programs.strip_prefix("/").unwrap_or(&programs));
        config
            .exists()
            .then(|| Location::new(config, Some(programs)))
    })
}

/// Returns the configuration and the directory of K3s and RKE2.
fn rancher_defaults() -> [PathBuf; 2] {
    ["config.yaml", "bin"].map(|name| Path::new(RANCHER).join(name))
}

/// Finds what names the configuration or the programs. A distribution's usual paths need no name.
pub(super) fn named(files: &Files<'_>, distribution: Option<Distribution>) -> Option<Named> {
    let units = distribution.unwrap_or(Distribution::Kubeadm).units();
    let units = Unit::read_all(files, units);
    let in_flags = if units.is_empty() {
        FLAG_FILES.iter().rev().find_map(|path| {
            let text = files.read(Path::new(path)).ok()??;
            named_in(&text, path.into())
        })
    } else {
        units.iter().find_map(in_unit)
    };
    let in_settings = in_settings(files, &units);
    let has_settings = in_settings.is_some();
    let mut named = match (in_flags, in_settings) {
        (Some(flags), Some(settings)) => Named {
            config: flags.config.or(settings.config),
            programs: flags.programs.or(settings.programs),
            source: flags.source,
            are_flags: false,
        },
        (flags, settings) => flags.or(settings)?,
    };
    let is_rancher = [Some(Distribution::K3s), Some(Distribution::Rke2)].contains(&distribution);
    if is_rancher || has_settings && named.source.starts_with("/etc/rancher") {
        // What is not named is at the usual place (github.com/k3s-io/k3s, `ImageCredProvAvailable`).
        let [config, programs] = rancher_defaults();
        named.config.get_or_insert(config);
        named.programs.get_or_insert(programs);
    }
    Some(named)
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

/// Finds the paths in the settings of K3s, RKE2 and MicroShift. Each key counts as the last file has it.
fn in_settings(files: &Files<'_>, units: &[Unit]) -> Option<Named> {
    let mut found: Option<Named> = None;
    for (path, [config, programs]) in settings_files(files, units) {
        let Ok(Some(text)) = files.read(&path) else {
            continue;
        };
        // The arguments of the kubelet (`kubelet-arg`) count more than the keys.
        let value = |key| flag(&text, key).or_else(|| setting(&text, key));
        let (config, programs) = (value(config), value(programs));
        if config.is_some() || programs.is_some() {
            let before = found.take();
            let (old_config, old_programs) =
                before.map_or((None, None), |it| (it.config, it.programs));
            found = Some(Named {
                config: config.or(old_config),
                programs: programs.or(old_programs),
                source: path,
                are_flags: false,
            });
        }
    }
    found
}

/// Returns the files with settings in the order in which they are read, with their keys.
fn settings_files(files: &Files<'_>, units: &[Unit]) -> Vec<(PathBuf, [&'static str; 2])> {
    let rancher = RANCHER_SETTINGS.map(|(file, program, variable)| {
        let mut units = units
            .iter()
            .filter(|unit| unit.program().is_some_and(|it| it.ends_with(program)));
        let named = units.find_map(|unit| {
            let line = unit.command_line();
            let option = CONFIG_OPTIONS.iter().find_map(|name| flag(&line, name));
            option.or_else(|| Some(unit.variable(variable)?.0.into()))
        });
        let file = named.unwrap_or_else(|| file.into());
        let mut directory = file.clone().into_os_string();
        directory.push(".d");
        (file, directory.into(), FLAGS)
    });
    let (file, directory) = MICROSHIFT_SETTINGS;
    let microshift: (PathBuf, PathBuf, _) = (file.into(), directory.into(), MICROSHIFT_KEYS);
    let all = rancher.into_iter().chain([microshift]);
    all.flat_map(|(file, directory, keys)| {
        let mut more = files.entries(&directory);
        // Others, such as copies of an editor, are not read.
        more.retain(|path| {
            let extension = path.extension().and_then(|it| it.to_str());
            extension.is_some_and(|it| ["yaml", "yml"].contains(&&*it.to_ascii_lowercase()))
        });
        let paths = [file].into_iter().chain(more);
        paths.map(move |path| (path, keys)).collect::<Vec<_>>()
    })
    .collect()
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
    fn the_settings_of_k3s_are_merged_by_key_and_completed() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let found = || {
            let found = location(root.path(), Some(Distribution::K3s)).unwrap();
            [found.config, found.programs.unwrap()]
        };
        const DIRECTORY: &str = "etc/rancher/k3s/config.yaml.d";
        write(
            "etc/rancher/k3s/config.yaml",
            "image-credential-provider-bin-dir: /opt/bin\n",
        );
        write(
            &format!("{DIRECTORY}/1.yaml.bak"),
            "image-credential-provider-config: /old\n",
        );
        let default = format!("{RANCHER}/config.yaml");
        assert_eq!(found(), [&*default, "/opt/bin"].map(Path::new));
        write(
            &format!("{DIRECTORY}/1.YML"),
            "image-credential-provider-config: /etc/one.yaml\n",
        );
        assert_eq!(found(), ["/etc/one.yaml", "/opt/bin"].map(Path::new));
        write(
            &format!("{DIRECTORY}/2.yaml"),
            "kubelet-arg:\n- image-credential-provider-config=/etc/two.yaml\n",
        );
        assert_eq!(found(), ["/etc/two.yaml", "/opt/bin"].map(Path::new));
        let unit = "etc/systemd/system/k3s.service";
        let start = "[Service]\nExecStart=/usr/local/bin/k3s server";
        for arguments in [
            " --config /etc/k3s/server.yaml",
            " -c=/etc/k3s/server.yaml",
            "\nEnvironment=K3S_CONFIG_FILE=/etc/k3s/server.yaml",
        ] {
            write(unit, &format!("{start}{arguments}\n"));
            write(
                "etc/k3s/server.yaml",
                "image-credential-provider-bin-dir: /opt/k3s\n",
            );
            let expected = [&*default, "/opt/k3s"].map(Path::new);
            assert_eq!(found(), expected, "{arguments}");
        }
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
