//! File systems that may have no modes: those of Windows, which Linux shows with one mode for all
//! files (often 0777).

use std::path::Path;

/// A file system that may have no modes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FileSystem {
    /// FAT, NTFS, exFAT, or a share of Windows (CIFS): mount options replace modes.
    OfWindows(&'static str),
    /// The protocol by which WSL and virtual machines show a directory of their host. WSL stores
    /// modes only with the option `metadata`.
    OfHost,
}

impl FileSystem {
    /// Returns the file system with this number (`statfs(2)`; Linux, `uapi/linux/magic.h`).
    fn of_number(number: u64) -> Option<Self> {
        Some(match number {
            0x4d44 => Self::OfWindows("FAT"),
            0x2011_bab0 => Self::OfWindows("exFAT"),
            0x5346_544e | 0x7366_746e => Self::OfWindows("NTFS"),
            0xff53_4d42 | 0xfe53_4d42 | 0x517b => Self::OfWindows("CIFS"),
            0x6573_5546 => Self::OfWindows("FUSE"),
            0x0102_1997 | 0x5346_4846 => Self::OfHost,
            _ => return None,
        })
    }

    /// Returns what to do if a mode cannot be changed: a sentence without a full stop.
    pub(super) fn advice(self) -> String {
        let (name, mount) = match self {
            Self::OfWindows(name) => (name, "mount it with the option umask=022".to_owned()),
            Self::OfHost => (
                "9p",
                "in WSL, set options = \"metadata,umask=022\" below [automount] in /etc/wsl.conf"
                    .into(),
            ),
        };
        format!(
            "If that changes nothing, because this file system ({name}) has no modes: {mount}, or move the file to another file system"
        )
    }
}

/// Returns the file system of a path, if it may have no modes.
#[cfg(target_os = "linux")]
pub(super) fn of(path: &Path) -> Option<FileSystem> {
    let number = nix::sys::statfs::statfs(path).ok()?.filesystem_type().0;
    // Negative on 32-bit systems, where the number has a sign.
    FileSystem::of_number(u64::try_from(i128::from(number) & 0xffff_ffff).ok()?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_path: &Path) -> Option<FileSystem> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fix_names_a_file_system_without_modes() {
        for (number, parts) in [
            (0x4d44, ["(FAT)", "umask=022"]),
            (0xff53_4d42, ["(CIFS)", "umask=022"]),
            (0x0102_1997, ["(9p)", "/etc/wsl.conf"]),
        ] {
            let advice = FileSystem::of_number(number).unwrap().advice();
            for part in parts.into_iter().chain(["move the file"]) {
                assert!(advice.contains(part), "{advice}");
            }
        }
        // Linux, `uapi/linux/magic.h`: ext4 and tmpfs.
        assert_eq!(FileSystem::of_number(0xef53), None);
        assert_eq!(FileSystem::of_number(0x0102_1994), None);
    }
}
