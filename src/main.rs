//! The executable: creates the context of this process for [`cli::run`].

use std::ffi::OsString;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use docker_credential_icr::PROGRAM;
use docker_credential_icr::cli;
use docker_credential_icr::context::Context;
use docker_credential_icr::context::Stdio;
use docker_credential_icr::context::SystemPaths;
use docker_credential_icr::environment;
use docker_credential_icr::environment::Environment;
use docker_credential_icr::fs;
use docker_credential_icr::http::OutageMarks;
use docker_credential_icr::http::certificates::CertificatePaths;
use docker_credential_icr::http::client::Https;
use docker_credential_icr::keychain;
use docker_credential_icr::kubelet;
use docker_credential_icr::lock::LockDirectory;
use docker_credential_icr::login::legacy;
use docker_credential_icr::process::background_refresh;
use docker_credential_icr::process::memory;
use docker_credential_icr::process::parent;
use docker_credential_icr::registry::Registry;
use docker_credential_icr::terminal::SystemTerminal;
use docker_credential_icr::time::SystemClock;
use ring::rand::SystemRandom;

/// musl's allocator returns memory page by page, which costs a tenth of the time of a `get`
/// with a cached token.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The variable with the user's directory for locks and sockets.
#[cfg(unix)]
const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

fn main() -> ExitCode {
    memory::protect();
    let environment = Environment::of_process();
    let mut arguments = std::env::args_os();
    let name = PathBuf::from(arguments.next().unwrap_or_default());
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.is_empty() && kubelet::is_provider_name(&name) && !std::io::stdin().is_terminal() {
        arguments.push(kubelet::VERB.into());
    }
    if arguments
        .first()
        .is_some_and(|verb| verb == background_refresh::VERB)
    {
        background_refresh::detach();
    }
    #[cfg(target_os = "linux")]
    if let Some(code) = keychain::bus_relay::run_behind(&arguments, &environment) {
        return code;
    }
    let is_for_kubelet = kubelet::is_requested(&arguments);
    let directory = |variable, of_system: fn() -> Option<PathBuf>| {
        named_directory(&environment, variable).or_else(of_system)
    };
    let state = if is_for_kubelet {
        node_directory(&environment)
    } else {
        directory(environment::LOCAL_APP_DATA, state_directory)
    };
    let state = state.map(|base| base.join(PROGRAM));
    let home = if is_for_kubelet {
        environment.absolute_path(environment::HOME)
    } else {
        directory(environment::HOME, dirs::home_dir)
    };
    let config = match &home {
        None if is_for_kubelet => None,
        _ => directory(environment::APP_DATA, dirs::config_dir),
    };
    let context = Context {
        clock: &SystemClock::start(),
        config_directory: config,
        locks: LockDirectory::at(state.as_ref().map(|state| state.join("locks"))),
        outage_marks: OutageMarks::at(mark_directories(state.clone())),
        machine_name: &|| machine_name(&environment),
        legacy_logins: &|registries| legacy::logins(&environment, state.as_deref(), registries),
        open_keychains: &|settings, prompting| {
            keychain::open(
                settings.keychain.selection(),
                &settings.namespace,
                &environment,
                &keychain::KeychainDirectories {
                    marks: state.clone(),
                    logins: dirs::state_dir().map(login_directory),
                    // sudo -E keeps the variable of the user, who must not get files of root there.
                    logins_of_root: environment
                        .absolute_path(environment::STATE_HOME)
                        .is_none_or(|state| fs::acting_owner(&state).is_some())
                        .then(|| login_directory(PathBuf::from("/var/lib"))),
                },
                prompting,
            )
        },
        state_directory: directory(environment::LOCAL_APP_DATA, || {
            dirs::state_dir().or_else(dirs::data_local_dir)
        }),
        system_config_directory: system_config_directory(),
        parent_arguments: &parent::parent_arguments,
        system_paths: SystemPaths {
            home,
            root: PathBuf::from("/"),
            working_directory: PathBuf::from("."),
        },
        program: &|| std::env::current_exe().ok(),
        random: &|| RandomState::new().hash_one(()),
        start_background_refresh: &|registry| start_background_refresh(registry, &environment),
        secure_random: &SystemRandom::new(),
        terminal: &SystemTerminal::new(&environment),
        transport: &Https::trusting(CertificatePaths::of(&environment)),
        environment: &environment,
    };
    let output = std::io::stdout();
    let mut stdio = Stdio {
        input: &mut std::io::stdin().lock(),
        output_is_terminal: output.is_terminal(),
        output_is_readable_by_others: &|| fs::is_readable_by_others(&output),
        output: &mut output.lock(),
        // Not locked: the log is written from other threads, too.
        error: &mut std::io::stderr(),
    };
    ExitCode::from(cli::run(&arguments, &mut stdio, &context))
}

/// Returns the directory of the settings for all users. None on Windows, where every user can
/// create a directory in `%PROGRAMDATA%`.
fn system_config_directory() -> Option<PathBuf> {
    cfg!(unix).then(|| PathBuf::from("/etc"))
}

#[cfg(unix)]
fn machine_name(_environment: &Environment) -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

#[cfg(windows)]
fn machine_name(environment: &Environment) -> Option<String> {
    let name = environment.text(environment::COMPUTER_NAME).ok()??;
    Some(name.to_owned())
}

/// Starts a background refresh. Behind a relay to the session bus, no process may outlive the
/// helper, because the relay ends with it.
fn start_background_refresh(registry: &Registry, environment: &Environment) -> bool {
    #[cfg(target_os = "linux")]
    if keychain::bus_relay::is_behind(environment) {
        return false;
    }
    let _ = environment;
    background_refresh::start(registry)
}

/// Returns the directories of marks: that of the locks, or the runtime directory if the home
/// directory is read-only.
fn mark_directories(state: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    let runtime = dirs::runtime_dir().map(|directory| directory.join(PROGRAM));
    state.into_iter().chain(runtime)
}

/// Returns the directory of encrypted logins, below that of programs' persistent data.
fn login_directory(data: PathBuf) -> PathBuf {
    data.join(PROGRAM).join("keychain")
}

/// Returns the directory in which that of the locks is. The cache directory is the same in all
/// sessions, unlike the runtime directory, which is the only one of a user without a home.
fn state_directory() -> Option<PathBuf> {
    dirs::cache_dir().or_else(dirs::runtime_dir)
}

/// Returns the directory in which that of the locks is on a node of Kubernetes: nothing is written
/// to root's home directory, and without `HOME` nothing in it is read.
#[cfg(unix)]
fn node_directory(environment: &Environment) -> Option<PathBuf> {
    let of_root = || {
        nix::unistd::Uid::effective()
            .is_root()
            .then(|| "/run".into())
    };
    environment
        .absolute_path(RUNTIME_DIRECTORY)
        .or_else(of_root)
}

/// Returns the directory in which that of the locks is on a node of Kubernetes.
#[cfg(windows)]
fn node_directory(environment: &Environment) -> Option<PathBuf> {
    environment.absolute_path(environment::LOCAL_APP_DATA)
}

/// Returns the directory of this user that a variable of Windows names. Docker and other clients
/// read the variable there, but `dirs` asks the system; elsewhere, `dirs` reads the variables.
fn named_directory(environment: &Environment, variable: &str) -> Option<PathBuf> {
    environment
        .absolute_path(variable)
        .filter(|_| cfg!(windows))
}
