//! Where the kubelet of this machine has the configuration of its credential providers.

use std::path::Path;
use std::path::PathBuf;

use crate::fs;

/// The size limit of a file, in bytes.
pub(super) const MAX_SIZE: u64 = 1024 * 1024;

/// The files that set the kubelet's flags: kubeadm's, those of packages, and drop-ins.
const FLAG_FILES: [&str; 3] = [
    "var/lib/kubelet/kubeadm-flags.env",
    "etc/default/kubelet",
    "etc/sysconfig/kubelet",
];
const DROP_INS: &str = "etc/systemd/system/kubelet.service.d";

/// The directory of K3s and RKE2, which need no flags.
const RANCHER: &str = "var/lib/rancher/credentialprovider";

/// The flags as keys of K3s and RKE2.
const RANCHER_KEYS: [&str; 2] = [
    "image-credential-provider-config",
    "image-credential-provider-bin-dir",
];

/// The files with the settings of distributions, the directories with more of them, and the keys.
const SETTINGS: [(&str, &str, [&str; 2]); 3] = [
    (
        "etc/rancher/k3s/config.yaml",
        "etc/rancher/k3s/config.yaml.d",
        RANCHER_KEYS,
    ),
    (
        "etc/rancher/rke2/config.yaml",
        "etc/rancher/rke2/config.yaml.d",
        RANCHER_KEYS,
    ),
    (
        "etc/microshift/config.yaml",
        "etc/microshift/config.d",
        [
            "imageCredentialProviderConfigPath",
            "imageCredentialProviderBinDir",
        ],
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

/// Finds the flags of the kubelet on this machine.
pub(super) fn location(root: &Path) -> Option<Location> {
    let drop_ins = entries(&root.join(DROP_INS));
    let files = FLAG_FILES.iter().map(|path| root.join(path));
    let mut found = None;
    for path in files.chain(drop_ins) {
        let Ok(text) = fs::read_regular(&path, MAX_SIZE) else {
            continue;
        };
        if let Some(config) = flag(&text, "--image-credential-provider-config") {
            let programs = flag(&text, "--image-credential-provider-bin-dir");
            found = Some(Location::new(config, programs));
        }
    }
    found.or_else(|| in_settings(root)).or_else(|| {
        let config = root.join(RANCHER).join("config.yaml");
        let programs = root.join(RANCHER).join("bin");
        config
            .exists()
            .then(|| Location::new(config, Some(programs)))
    })
}

/// Finds the paths in the settings of K3s, RKE2 and MicroShift, of which a later file counts more.
fn in_settings(root: &Path) -> Option<Location> {
    let mut found = None;
    for (file, directory, [config, programs]) in SETTINGS {
        for path in [root.join(file)]
            .into_iter()
            .chain(entries(&root.join(directory)))
        {
            let Ok(text) = fs::read_regular(&path, MAX_SIZE) else {
                continue;
            };
            if let Some(config) = setting(&text, config) {
                found = Some(Location::new(config, setting(&text, programs)));
            }
        }
    }
    found
}

/// Returns the path that is the value of a key, in a YAML text with a line for each key.
fn setting(text: &str, key: &str) -> Option<PathBuf> {
    let mut values = text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix(key)?.strip_prefix(':')?;
        let value = rest.split(" #").next()?.trim();
        let value = value.trim_matches(['"', '\'']);
        value.starts_with('/').then(|| PathBuf::from(value))
    });
    values.next_back()
}

/// Returns the path in a flag, outside of comments.
pub(super) fn flag(text: &str, name: &str) -> Option<PathBuf> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut values = lines.filter_map(|line| {
        let rest = line.split(name).nth(1)?;
        let rest = rest.strip_prefix(['=', ' '])?;
        let end = rest.find([' ', '"', '\'', '\\']).unwrap_or(rest.len());
        rest.get(..end).filter(|path| path.starts_with('/'))
    });
    values.next_back().map(PathBuf::from)
}

/// Returns the paths in a directory, sorted.
pub(super) fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
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
        assert!(location(root.path()).is_none());
        write("var/lib/rancher/credentialprovider/config.yaml", "");
        let found = location(root.path()).unwrap();
        assert!(found.config.ends_with("credentialprovider/config.yaml"));
        write(
            "etc/rancher/k3s/config.yaml.d/a.yaml",
            "image-credential-provider-config: \"/etc/k3s.yaml\" # ours\nimage-credential-provider-bin-dir: /opt/k3s\n",
        );
        let found = location(root.path()).unwrap();
        assert_eq!(found.config, Path::new("/etc/k3s.yaml"));
        assert_eq!(found.programs.as_deref(), Some(Path::new("/opt/k3s")));
        write(
            "etc/default/kubelet",
            "#KUBELET_EXTRA_ARGS=--image-credential-provider-config=/old\nKUBELET_EXTRA_ARGS=\"--v=2 --image-credential-provider-config=/etc/a.yaml --image-credential-provider-bin-dir /opt/bin\"\n",
        );
        let found = location(root.path()).unwrap();
        assert_eq!(found.config, Path::new("/etc/a.yaml"));
        assert_eq!(found.programs.as_deref(), Some(Path::new("/opt/bin")));
    }
}
