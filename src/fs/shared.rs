//! Files and directories that all users can read, whatever the umask.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Creates the missing directories of a path, so that all users can read what is in them. Returns
/// those, the uppermost first.
///
/// # Errors
/// One cannot be created.
pub fn create_directories_for_all(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = directory
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    let mut missing: Vec<&Path> = missing.collect();
    missing.reverse();
    for directory in &missing {
        super::create_directory(directory)?;
        #[cfg(unix)]
        std::fs::set_permissions(
            directory,
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
    }
    Ok(missing.into_iter().map(Path::to_owned).collect())
}

/// Sets the mode of an open file; nothing on Windows, where its directory determines the rights.
///
/// # Errors
/// The file belongs to another user.
pub fn allow_all_users(file: &File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    #[cfg(not(unix))]
    let _ = (file, mode);
    Ok(())
}
