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

/// Where the kubelet's configuration and its programs are.
pub(super) struct Location {
    pub(super) config: PathBuf,
    pub(super) programs: Option<PathBuf>,
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
            found = Some(Location { config, programs });
        }
    }
    found.or_else(|| {
        let config = root.join(RANCHER).join("config.yaml");
        let programs = Some(root.join(RANCHER).join("bin"));
        config.exists().then_some(Location { config, programs })
    })
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
            "etc/default/kubelet",
            "#KUBELET_EXTRA_ARGS=--image-credential-provider-config=/old\nKUBELET_EXTRA_ARGS=\"--v=2 --image-credential-provider-config=/etc/a.yaml --image-credential-provider-bin-dir /opt/bin\"\n",
        );
        let found = location(root.path()).unwrap();
        assert_eq!(found.config, Path::new("/etc/a.yaml"));
        assert_eq!(found.programs.as_deref(), Some(Path::new("/opt/bin")));
    }
}
