//! The login files of services that pull images for a whole machine: CRI-O and the kubelet.
//! They belong to root. A system-wide file of podman is read only if a variable or an
//! argument names it (tried with podman 4.3.1), or by other tools, such as bootc.

use std::path::PathBuf;

use toml::de::DeTable;

use super::MAX_SETTINGS_SIZE;
use super::Machine;
use super::conf_files;
use crate::fs;

/// The file that is meant for all users of podman and its relatives.
const SYSTEM_FILE: &str = "etc/containers/auth.json";

/// The kubelet's file (`kubernetes`, `pkg/credentialprovider/config.go`). It reads `auths`
/// and nothing else.
const KUBELET_FILE: &str = "var/lib/kubelet/config.json";

/// The settings of CRI-O and the directory with files that override parts of them
/// (`crio.conf(5)`).
const CRIO: [&str; 2] = ["etc/crio/crio.conf", "etc/crio/crio.conf.d"];

/// A service or tool that reads a file of the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reader {
    /// Container tools, if a variable or an argument names the file.
    NamedTools,
    /// CRI-O.
    CriO,
    /// The kubelet, which starts no helpers that such a file names.
    Kubelet,
}

impl std::fmt::Display for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NamedTools => "read by podman only if $REGISTRY_AUTH_FILE or --authfile names it",
            Self::CriO => "CRI-O",
            Self::Kubelet => "the kubelet",
        })
    }
}

/// Returns the files of the machine, which need not exist, each with its reader. A file that
/// two services share is listed for both.
pub fn files(machine: &Machine<'_>) -> Vec<(Reader, PathBuf)> {
    let mut files = vec![
        (Reader::NamedTools, machine.root.join(SYSTEM_FILE)),
        (Reader::Kubelet, machine.root.join(KUBELET_FILE)),
    ];
    let crio = crio_file(machine).map(|path| (Reader::CriO, path));
    files.extend(crio);
    files
}

/// Returns the file in CRI-O's settings (`global_auth_file`), below the root directory; the
/// last one that is set counts.
fn crio_file(machine: &Machine<'_>) -> Option<PathBuf> {
    let [file, directory] = CRIO;
    let overriding = conf_files(&machine.root.join(directory));
    let files = [machine.root.join(file)].into_iter().chain(overriding);
    let mut named = files.rev().filter_map(|path| {
        let text = fs::read_regular(&path, MAX_SETTINGS_SIZE).ok()?;
        let settings = DeTable::parse(&text).ok()?;
        let image = settings.get_ref().get("crio")?.get_ref().get("image")?;
        let name = image.get_ref().get("global_auth_file")?.get_ref();
        Some(name.as_str()?.to_owned())
    });
    let named = named.next().filter(|name| !name.is_empty())?;
    Some(machine.root.join(named.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn the_last_setting_of_crio_names_its_file() {
        let root = tempfile::tempdir().unwrap();
        let environment = Environment::default();
        let machine = Machine::without_user(&environment, root.path());
        assert_eq!(files(&machine).len(), 2);
        for (file, text, expected) in [
            (
                "crio.conf",
                "[crio.image]\nglobal_auth_file = \"/a.json\"",
                Some("a.json"),
            ),
            (
                "crio.conf.d/10.conf",
                "[crio]\n[crio.image]\nglobal_auth_file = \"/b.json\"",
                Some("b.json"),
            ),
            (
                "crio.conf.d/20.conf",
                "[crio.image]\npause_image = \"x\"",
                Some("b.json"),
            ),
            ("crio.conf.d/30.conf", "broken [", Some("b.json")),
            (
                "crio.conf.d/40.conf",
                "[crio.image]\nglobal_auth_file = \"\"",
                None,
            ),
        ] {
            let path = root.path().join("etc/crio").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            let found = crio_file(&machine);
            assert_eq!(found, expected.map(|name| root.path().join(name)), "{file}");
        }
    }
}
