//! Protection of this process's memory, which holds secrets.

/// Keeps other processes of the same user, and core dumps, away from this process's
/// memory. Call this before anything is read: environment variables hold secrets.
///
/// A program that is started from here gets the limit on core dumps, which cannot be
/// raised again, but not the rest: the kernel makes a process readable again when it
/// executes a program (`prctl(2)`, `PR_SET_DUMPABLE`). So this program calls it in every
/// process of its own.
///
/// A sandbox may forbid the system calls; the answer is worth more than the protection.
#[cfg(unix)]
pub fn protect() {
    use nix::sys::resource;
    // First, so that whoever sees the limit sees a process that is protected already.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    let _ = resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0);
}

/// Windows writes no memory to disk unless an administrator asks for it.
#[cfg(windows)]
pub fn protect() {}
