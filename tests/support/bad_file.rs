//! Unusable files in place of a file with a secret.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A file, directory or device from which no secret can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadFile {
    Binary,
    Directory,
    Empty,
    Huge,
    LinkToNothing,
    /// A pipe without a writer.
    Pipe,
    /// A file that cannot be read, not even by root.
    Unreadable,
    /// A device with endless content.
    Zero,
}

impl BadFile {
    /// Returns all that this system has.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Binary, Self::Directory, Self::Empty, Self::Huge];
        if cfg!(unix) {
            all.extend([Self::LinkToNothing, Self::Pipe, Self::Zero]);
        }
        if cfg!(target_os = "linux") {
            all.push(Self::Unreadable);
        }
        all
    }

    /// Creates it at a path, and replaces a file there.
    pub(crate) fn create_at(self, path: &Path) {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        match self {
            Self::Binary => {
                fs::write(path, [0x00, 0xff, 0xfe, b'{', 0x80]).expect("the test may change it")
            }
            Self::Directory => fs::create_dir(path).expect("the test may change it"),
            Self::Empty => fs::write(path, "").expect("the test may change it"),
            Self::Huge => {
                fs::write(path, "x".repeat(5 * 1024 * 1024)).expect("the test may change it")
            }
            Self::LinkToNothing => link("/nonexistent/file", path),
            Self::Pipe => {
                let made = Command::new("mkfifo").arg(path).status();
                assert!(made.expect("coreutils").success());
            }
            // No memory is mapped at the beginning, so reading it is an input/output error.
            Self::Unreadable => link("/proc/self/mem", path),
            Self::Zero => link("/dev/zero", path),
        }
    }
}

fn link(target: &str, path: &Path) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, path).expect("the test may change it");
    #[cfg(not(unix))]
    let _ = (target, path);
}
