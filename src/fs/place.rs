//! Paths that lead to the same place.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Returns whether two paths are names of the same entry of a directory, even if the entry does not
/// exist: one may have `..` in it, or lead through a link (`/home` of Fedora Silverblue is a link to
/// `/var/home`) or a bind mount.
pub fn is_same_place(one: &Path, other: &Path) -> bool {
    if one == other {
        return true;
    }
    let (one, other) = (real(one), real(other));
    if one == other {
        return true;
    }
    let directories = one.parent().zip(other.parent());
    one.file_name() == other.file_name()
        && directories.is_some_and(|(a, b)| is_same_directory(a, b))
}

/// Returns the path with the links of its directory resolved, as far as that exists.
fn real(path: &Path) -> PathBuf {
    let (Some(directory), Some(name)) = (path.parent(), path.components().next_back()) else {
        return path.to_owned();
    };
    if name == Component::ParentDir {
        return path.canonicalize().unwrap_or_else(|_| path.to_owned());
    }
    match directory.canonicalize() {
        Ok(directory) => directory.join(name),
        Err(_) => real(directory).join(name),
    }
}

#[cfg(unix)]
fn is_same_directory(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().map(|it| (it.dev(), it.ino())).ok();
    let one = identity(one);
    one.is_some() && one == identity(other)
}

#[cfg(not(unix))]
fn is_same_directory(_one: &Path, _other: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_dots_lead_to_the_same_place_even_without_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir_all(home.join(".docker")).unwrap();
        let file = home.join(".docker/config.json");
        for (other, is_same) in [
            (".docker/../.docker/config.json", true),
            (".docker//./config.json", true),
            (".docker/other.json", false),
            ("config.json", false),
        ] {
            assert_eq!(is_same_place(&file, &home.join(other)), is_same, "{other}");
        }
        assert!(is_same_place(
            &home.join(".docker/../new/config.json"),
            &home.join("new/config.json")
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_through_a_link_leads_to_the_same_place() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        std::fs::create_dir_all(directory.join("var/home/.docker")).unwrap();
        std::os::unix::fs::symlink("var/home", directory.join("home")).unwrap();
        assert!(is_same_place(
            &directory.join("home/.docker/config.json"),
            &directory.join("var/home/.docker/config.json")
        ));
    }
}
