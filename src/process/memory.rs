//! Protection of this process's memory, which holds secrets.

/// Prevents other processes of this user from reading this process's memory, and core dumps.
/// Call this before reading environment variables, which contain secrets.
///
/// Child processes inherit the limit on core dumps, but the kernel makes a process readable
/// again when it executes a program (`prctl(2)`, `PR_SET_DUMPABLE`). So the program calls this
/// in each process of its own.
///
/// Errors are ignored: a sandbox may forbid the system calls, and the program must still answer.
#[cfg(unix)]
pub fn protect() {
    use nix::sys::resource;
    // First, because tests wait for the limit and then expect both.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    let _ = resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0);
}

/// Does nothing: Windows writes memory to disk only if an administrator configures it.
#[cfg(windows)]
pub fn protect() {}
