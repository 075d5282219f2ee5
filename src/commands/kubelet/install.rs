//! `kubelet install`: makes this program a credential provider of the machine's kubelet.

mod plan;
mod record;
mod rollback;
mod service;
mod uninstall;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::PROVIDER;
use super::check::checks;
use super::config::ProviderArguments;
use super::config::provider_config;
use super::distribution::Distribution;
use super::location::Location;
use super::location::MAX_SIZE;
use super::location::config_files;
use super::trials::Trials;
use super::unit;
use crate::commands::doctor::diagnostic::Verdict;
use crate::commands::install::own_program;
use crate::commands::print;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use plan::Plan;
use record::Kind;
use record::NewFile;
use record::Store;
use rollback::Previous;

pub(super) use uninstall::Arguments as UninstallArguments;
pub(super) use uninstall::run as uninstall;

/// The name under which the program is tried before it is installed.
const STAGED: &str = ".icr-credential-provider.new";

/// The first version of Kubernetes whose kubelet sends tokens of service accounts by default (KEP-4412).
const SERVICE_ACCOUNTS: (u32, u32) = (1, 34);

/// How often a waiting process looks whether it has to end.
const PAUSE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  sudo docker-credential-icr kubelet install --registry us.icr.io
  sudo docker-credential-icr kubelet install --registry us.icr.io --env ICR_SOURCE=vpc
  docker-credential-icr kubelet install --root /host --watch --registry us.icr.io

Exit status: 0 if it is installed, otherwise 1. With --check, 1 if something would change.";

/// Install this program as the kubelet's credential provider
///
/// Copies the program, adds it to the kubelet's configuration beside other providers, sets
/// the kubelet's flags if they are missing, and restarts the kubelet if it has to read them.
/// The new configuration is checked first, as 'kubelet check' does; if it has problems,
/// nothing is changed. If the kubelet ran and does not run after its restart, all is put back.
/// 'kubelet uninstall' restores what was there before.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(super) struct Arguments {
    #[command(flatten)]
    provider: ProviderArguments,

    /// Distribution of Kubernetes [default: that of the machine]
    #[arg(long = "for", value_name = "DISTRIBUTION")]
    distribution: Option<Distribution>,

    #[command(flatten)]
    machine: MachineArguments,

    /// Change nothing; exit with 1 if something would change
    #[arg(long, conflicts_with_all = ["watch", "no_restart"])]
    check: bool,

    /// Time for which the kubelet must run after its restart, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=3600))]
    min_ready_seconds: u64,

    /// Stay, and install again what is removed or changed
    #[arg(long)]
    watch: bool,

    /// Time between two looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "watch")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
}

/// Which machine is changed, and whether its kubelet is restarted.
#[derive(clap::Args)]
pub(super) struct MachineArguments {
    /// Root directory of the machine, if it is mounted in a container
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    root: Option<PathBuf>,

    /// Do not restart the kubelet
    #[arg(long)]
    no_restart: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let own = provider_config(&arguments.provider, context)?;
    let program = own_program(context)?;
    let machine = enter(&arguments.machine)?;
    let installation = Installation {
        arguments,
        own: &own,
        program: &program,
        machine,
    };
    if !arguments.watch {
        return installation.install(stdio, context, true);
    }
    let end = end_signals();
    let mut is_first = true;
    while !end.load(Ordering::Relaxed) {
        // The next look may find what is missing now, such as the network.
        if let Err(error) = installation.install(stdio, context, is_first) {
            let _ = writeln!(stdio.error, "error: {}", error.text());
            if let Some(hint) = error.hint() {
                let _ = writeln!(stdio.error, "hint: {hint}");
            }
        }
        is_first = false;
        wait(Duration::from_secs(arguments.interval), &end, context);
    }
    Ok(())
}

/// Makes the root directory of the machine that of this process, so that no link and no path leads
/// out of it. Returns the directory that is the root now.
///
/// # Errors
/// The system is not Linux, or this user is not root.
fn enter(machine: &MachineArguments) -> Result<&'static Path> {
    if !cfg!(target_os = "linux") {
        return Err(Error::user("the kubelet can be changed only on Linux"));
    }
    if let Some(root) = &machine.root {
        let context = format!("cannot use {} as the root directory", root.display());
        change_root(root).map_err(|error| {
            Error::user(error.to_string())
                .with_context(context)
                .with_hint("Only root can; a container needs the capability SYS_CHROOT")
        })?;
    }
    Ok(Path::new("/"))
}

#[cfg(unix)]
fn change_root(root: &Path) -> std::io::Result<()> {
    nix::unistd::chroot(root)?;
    std::env::set_current_dir("/")
}

#[cfg(not(unix))]
fn change_root(_root: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Returns a flag that is set when the process is asked to end. The first process of a container
/// does not end otherwise.
fn end_signals() -> Arc<AtomicBool> {
    let end = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let _ = signal_hook::flag::register(signal, Arc::clone(&end));
    }
    end
}

/// Waits until the time is over or the process is asked to end.
fn wait(time: Duration, end: &AtomicBool, context: &Context<'_>) {
    let until = context.clock.elapsed().saturating_add(time);
    while !end.load(Ordering::Relaxed) && context.clock.elapsed() < until {
        context.clock.sleep(PAUSE.min(time));
    }
}

/// What is installed, and where.
struct Installation<'a> {
    arguments: &'a Arguments,
    /// The configuration with this provider alone.
    own: &'a str,
    program: &'a [u8],
    machine: &'a Path,
}

impl Installation<'_> {
    /// Writes what is missing or different, and restarts the kubelet if it has to read it.
    fn install(
        &self,
        stdio: &mut Stdio<'_>,
        context: &Context<'_>,
        is_reported: bool,
    ) -> Result<()> {
        let plan = plan::plan(
            self.arguments.distribution,
            self.own,
            self.program,
            self.machine,
        )?;
        let changes: Vec<&NewFile> = plan.files.iter().filter(|file| is_change(file)).collect();
        if self.arguments.check {
            return report_changes(&changes, stdio);
        }
        let has_record = Store::exists(self.machine);
        if changes.is_empty() && !has_record {
            return print(
                stdio,
                "the provider is already installed, by another program or by hand",
            );
        }
        if self.arguments.provider.service_accounts && !changes.is_empty() {
            refuse_older_kubelet(&plan, context)?;
        }
        let mut store = Store::open(self.machine)?;
        if changes.is_empty() && !store.record.restart {
            return if is_reported {
                print(stdio, "the provider is already installed")
            } else {
                Ok(())
            };
        }
        if !changes.is_empty() {
            rollback::refuse_rejected(&plan, &store.record)?;
            let outcome = self.check_first(&plan, &mut store, stdio, context);
            if outcome.is_err() && store.record.files.is_empty() {
                store.delete()?;
            }
            outcome?;
        }
        store.record.unit = Some(plan.unit.clone());
        let previous = Previous::read(&changes, &store.record, context.clock)?;
        if !changes.is_empty() {
            write(&plan, &changes, &mut store, stdio, context)?;
        }
        if let Err(reason) = self.restart(&previous, &store, stdio, context)? {
            if changes.is_empty() {
                return Err(reason);
            }
            return Err(previous.restore(&reason, &plan, &mut store, stdio, context.clock));
        }
        store.record.rejected = None;
        store.record.restart = false;
        store.save()
    }

    /// Restarts the kubelet if it has to read changes. Returns why it does not run afterwards.
    ///
    /// # Errors
    /// It cannot be restarted, and runs as before.
    fn restart(
        &self,
        previous: &Previous,
        store: &Store,
        stdio: &mut Stdio<'_>,
        context: &Context<'_>,
    ) -> Result<Result<()>> {
        let time = Duration::from_secs(self.arguments.min_ready_seconds);
        match restart(store, &self.arguments.machine, stdio, context) {
            Ok(false) => Ok(Ok(())),
            Ok(true) => Ok(previous.still_runs(&store.record, time, context.clock)),
            Err(error) if previous.is_down(&store.record, context.clock) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    /// Checks the new configuration with the new program, as the kubelet would use them.
    ///
    /// # Errors
    /// There are problems. Nothing was changed.
    fn check_first(
        &self,
        plan: &Plan,
        store: &mut Store,
        stdio: &mut Stdio<'_>,
        context: &Context<'_>,
    ) -> Result<()> {
        store.create_directory(&plan.programs)?;
        let settings = context.settings().unwrap_or_default();
        let trials = Trials {
            settings: &settings,
            account: None,
            now: context.clock.now(),
            environment: unit::environment(self.machine, Some(plan.distribution)),
        };
        let staged = Staged::write(plan, store)?;
        let diagnostics = checks(&staged.location, &trials, context);
        drop(staged);
        let mut problems = 0;
        for diagnostic in &diagnostics {
            let verdict = diagnostic.verdict.name();
            let mut text = format!("{verdict:<8} {}", diagnostic.message);
            if let Some(fix) = &diagnostic.fix {
                text.push_str(&format!("\n         fix: {fix}"));
            }
            problems += usize::from(diagnostic.verdict == Verdict::Problem);
            print(stdio, &text.replace(STAGED, PROVIDER))?;
        }
        if problems == 0 {
            return Ok(());
        }
        Err(Error::user(
            "nothing was changed: the kubelet's new configuration has problems",
        ))
    }
}

/// # Errors
/// The kubelet does not know `tokenAttributes`, so that it does not start, or has an unknown version.
fn refuse_older_kubelet(plan: &Plan, context: &Context<'_>) -> Result<()> {
    let program = &*plan.kubelet;
    let reason = match service::version(program, context.clock) {
        Some((major, minor)) if (major, minor) >= SERVICE_ACCOUNTS => return Ok(()),
        Some((major, minor)) => format!("this kubelet has version {major}.{minor}"),
        None => format!(
            "'{} --version' names no version of Kubernetes",
            program.display()
        ),
    };
    Err(Error::user(format!(
        "nothing was changed: a kubelet before version 1.34 does not start with --service-accounts, and {reason}"
    ))
    .with_hint("Install it without --service-accounts, or use the output of 'docker-credential-icr kubelet config --service-accounts'"))
}

/// The new program and the new configuration beside those of the kubelet. They are deleted on drop.
struct Staged {
    location: Location,
    files: Vec<PathBuf>,
}

impl Staged {
    fn write(plan: &Plan, store: &mut Store) -> Result<Self> {
        let program = plan.programs.join(STAGED);
        store.record.staged = Some(program.clone());
        store.save()?;
        let directory = store.staging_directory();
        let mut staged = Self {
            location: Location {
                config: directory.join("config.yaml"),
                programs: Some(plan.programs.clone()),
                staged: Some(program.clone()),
            },
            files: Vec::new(),
        };
        let mut files = Vec::new();
        for file in &plan.files {
            match file.kind {
                Kind::Program => files.push((program.clone(), &file.content, 0o755)),
                Kind::Config => files.push((staged.location.config.clone(), &file.content, 0o600)),
                Kind::Flags | Kind::Snippet => {}
            }
        }
        let others = others(plan)?;
        if plan.location.config.is_dir() {
            staged.location.config = directory.join("config");
            fs::create_private_directories(&staged.location.config)
                .map_err(|error| record::failed("cannot create", directory, &error))?;
            for (path, _, _) in files.iter_mut().filter(|(path, _, _)| *path != program) {
                *path = staged.location.config.join(format!("{PROVIDER}.yaml"));
            }
        }
        let config = &staged.location.config;
        let others = others
            .iter()
            .map(|(name, content)| (config.join(name), content, 0o600));
        for (path, content, mode) in files.into_iter().chain(others) {
            staged.files.push(path.clone());
            record::put(&path, content, mode, None)
                .map_err(|error| record::failed("cannot write", &path, &error))?;
        }
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = record::remove(file);
        }
        let _ = std::fs::remove_dir(&self.location.config);
    }
}

/// Returns the other files of a directory of configurations.
fn others(plan: &Plan) -> Result<Vec<(std::ffi::OsString, Vec<u8>)>> {
    let mut others = Vec::new();
    for path in config_files(&plan.location.config) {
        if plan.files.iter().any(|file| file.path == path) {
            continue;
        }
        // The kubelet follows links.
        let content = fs::read_bytes(&path, MAX_SIZE);
        let content = content.map_err(|error| record::failed("cannot read", &path, &error))?;
        if let Some(name) = path.file_name() {
            others.push((name.to_owned(), content));
        }
    }
    Ok(others)
}

fn is_change(file: &NewFile) -> bool {
    let is_same =
        record::content(&file.path).is_ok_and(|content| content.as_ref() == Some(&file.content));
    !is_same || (file.kind == Kind::Program && !fs::is_executable(&file.path))
}

fn report_changes(changes: &[&NewFile], stdio: &mut Stdio<'_>) -> Result<()> {
    for file in changes {
        print(stdio, &format!("{} would be written", file.path.display()))?;
    }
    if changes.is_empty() {
        return print(stdio, "the provider is installed");
    }
    Err(Error::user("the provider is not installed as asked").as_shown())
}

fn write(
    plan: &Plan,
    changes: &[&NewFile],
    store: &mut Store,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    if !plan.flags.is_empty() {
        store.record.flags.clone_from(&plan.flags);
    }
    // The kubelet starts the program anew for each request, but reads the rest at its start.
    store.record.restart |= changes.iter().any(|file| file.kind != Kind::Program);
    for file in changes {
        store.write(file)?;
        print(stdio, &format!("{} written", file.path.display()))?;
    }
    let paths: Vec<&Path> = changes.iter().map(|file| file.path.as_path()).collect();
    if let Err(reason) = service::restore_types(&paths, context.clock) {
        let _ = writeln!(stdio.error, "warning: restorecon {reason}");
    }
    Ok(())
}

/// Restarts the kubelet if it has to read changes, or shows the command. Returns whether it was
/// restarted.
fn restart(
    store: &Store,
    machine: &MachineArguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<bool> {
    if !store.record.restart {
        return Ok(false);
    }
    let command = service::restart_command(&store.record, machine.root.as_deref());
    if machine.no_restart {
        let text = format!("the kubelet has to be restarted: '{command}'");
        return print(stdio, &text).map(|()| false);
    }
    print(stdio, &format!("restarting the kubelet: '{command}'"))?;
    service::restart(&store.record, context.clock).map(|()| true)
}
