use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

fn is_only_file(path: &Path) -> bool {
    fs::read_dir(path.parent().unwrap()).unwrap().count() == 1
}

#[test]
fn only_its_owner_can_read_a_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/config.json");
    let made = replace(&path, None, "{}").unwrap();
    assert!(made.file);
    assert_eq!(
        made.directories,
        [directory.path().join("a"), directory.path().join("a/b")]
    );
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&directory.path().join("a")), 0o700);
    remove(&path, &made.directories).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn links_mode_and_attributes_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("dotfiles");
    fs::create_dir(&target).unwrap();
    let target = target.join("config.json");
    fs::write(&target, "old").unwrap();
    set_mode(&target, 0o640);
    let has_attributes = xattr::set(&target, "user.note", b"mine").is_ok();
    symlink("dotfiles/config.json", directory.path().join("link")).unwrap();
    let link = directory.path().join("link-to-link");
    symlink(directory.path().join("link"), &link).unwrap();
    assert_eq!(
        replace(&link, Some("old"), "new").unwrap(),
        Created::default()
    );
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    assert_eq!(mode(&target), 0o640);
    if has_attributes {
        assert_eq!(xattr::get(&target, "user.note").unwrap().unwrap(), b"mine");
    }
    assert!(is_only_file(&target));
}

#[test]
fn the_missing_target_of_a_link_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink("not/there.json", &link).unwrap();
    assert!(replace(&link, None, "new").unwrap().file);
    assert_eq!(
        fs::read_to_string(directory.path().join("not/there.json")).unwrap(),
        "new"
    );
    let round = directory.path().join("round");
    symlink("round", &round).unwrap();
    assert!(replace(&round, None, "new").is_err());
}

#[test]
fn a_change_by_another_program_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    fs::write(&path, "theirs").unwrap();
    for old in [None, Some("old")] {
        assert!(matches!(
            replace(&path, old, "new"),
            Err(ReplaceError::Changed)
        ));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        replace(&path, Some("old"), "new"),
        Err(ReplaceError::Changed)
    ));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_read_only_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    fs::write(&path, "old").unwrap();
    set_mode(&path, 0o444);
    let reason = replace(&path, Some("old"), "new").unwrap_err().to_string();
    assert!(reason.contains("read-only (mode 0444)"), "{reason}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert!(is_only_file(&path));
}

#[test]
fn files_that_root_replaces_keep_their_owners() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(12345), Some(12346)).unwrap();
    let path = home.join(".docker/config.json");
    let owner = |path: &Path| {
        let metadata = path.metadata().unwrap();
        (metadata.uid(), metadata.gid())
    };
    replace(&path, None, "{}").unwrap();
    assert_eq!(owner(&path), (12345, 12346));
    assert_eq!(owner(&home.join(".docker")), (12345, 12346));
    std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    set_mode(&path, 0o644);
    let reason = replace(&path, Some("{}"), "{ }").unwrap_err().to_string();
    assert!(reason.contains("change its owner (0:0)"), "{reason}");
    assert_eq!(owner(&path), (0, 0), "the user could not change it either");
}

#[test]
fn directories_devices_and_huge_files_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge");
    fs::write(&path, vec![b' '; usize::try_from(LIMIT).unwrap() + 1]).unwrap();
    assert!(
        read(&path)
            .unwrap_err()
            .to_string()
            .contains("larger than 4 MiB")
    );
    assert!(read(directory.path()).is_err());
    assert!(read(Path::new("/dev/zero")).is_err());
    assert_eq!(read(&directory.path().join("missing")).unwrap(), None);
    assert_eq!(read(&directory.path().join("missing/too")).unwrap(), None);
}

#[test]
fn all_names_of_a_file_with_hard_links_stay_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let [path, other] = ["config.json", "dotfile"].map(|name| directory.path().join(name));
    for old in [&b"{\"longer\": 1}"[..], b"\xef\xbb\xbf{}", b"{}"] {
        fs::write(&path, old).unwrap();
        let _ = fs::hard_link(&path, &other);
        let text = decoded(read(&path)).unwrap().unwrap();
        replace(&path, Some(&text), "{\"new\": 1}").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "{\"new\": 1}");
        assert_eq!(path.metadata().unwrap().nlink(), 2);
    }
    set_mode(&path, 0o400);
    assert!(replace(&path, Some("{\"new\": 1}"), "{}").is_err());
    assert_eq!(fs::read_to_string(&other).unwrap(), "{\"new\": 1}");
}
