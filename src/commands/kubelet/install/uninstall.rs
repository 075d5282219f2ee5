//! `kubelet uninstall`: restores what was there before `kubelet install`.

mod usage;

use std::path::Path;
use std::time::Duration;

use super::MachineArguments;
use super::end_signals;
use super::enter;
use super::record::Entry;
use super::record::Kind;
use super::record::State;
use super::record::Store;
use super::record::put;
use super::record::remove;
use super::restart;
use super::wait;
use crate::commands::print;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Result;

/// How long a process waits at a time.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const EXAMPLES: &str = "\
Examples:
  sudo docker-credential-icr kubelet uninstall
  docker-credential-icr kubelet uninstall --root /host --wait";

/// Undo 'kubelet install'
///
/// Restores each file as it was, restarts the kubelet, and deletes the copy of the program.
/// A file that was changed meanwhile loses only what 'kubelet install' added.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(in crate::commands::kubelet) struct Arguments {
    #[command(flatten)]
    machine: MachineArguments,

    /// Stay until the process is asked to end, as a DaemonSet needs
    #[arg(long)]
    wait: bool,
}

pub(in crate::commands::kubelet) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let end = end_signals();
    let root = enter(&arguments.machine)?;
    if Store::exists(root) {
        restore(Store::open(root)?, root, &arguments.machine, stdio, context)?;
    } else {
        print(
            stdio,
            "nothing to undo: 'kubelet install' has no record on this machine",
        )?;
    }
    while arguments.wait && !end.load(std::sync::atomic::Ordering::Relaxed) {
        wait(DAY, &end, context);
    }
    Ok(())
}

/// What is done with a file.
enum Action {
    /// It is as it was before, or was deleted.
    Nothing,
    /// It becomes what it was before.
    Restore,
    /// It was changed meanwhile, and loses only what was added.
    Replace(Vec<u8>),
    /// It was changed meanwhile, and it is not sure what was added.
    Stay(Vec<u8>),
    /// Other providers have come to need what was added.
    Keep,
}

/// Restores the files in the reverse order, so that the kubelet can start at any moment. The
/// program is deleted when the kubelet does not use it any more.
fn restore(
    mut store: Store,
    root: &Path,
    machine: &MachineArguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let mut entries = store.record.files.clone();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.kind));
    let actions = entries.into_iter().map(|entry| {
        let action = action(&entry, &store)?;
        Ok((entry, action))
    });
    let mut actions: Vec<(Entry, Action)> = actions.collect::<Result<_>>()?;
    usage::keep_flags_of_others(&mut actions, &store)?;
    usage::refuse_if_used(&actions, &store, root)?;
    let (programs, others): (Vec<_>, Vec<_>) = actions
        .into_iter()
        .partition(|(entry, _)| entry.kind == Kind::Program);
    for (entry, action) in &others {
        restore_file(entry, action, &mut store, stdio)?;
    }
    restart(&store, machine, stdio, context)?;
    store.record.restart = false;
    store.save()?;
    for (entry, action) in &programs {
        restore_file(entry, action, &mut store, stdio)?;
    }
    store.delete()
}

fn action(entry: &Entry, store: &Store) -> Result<Action> {
    let now = match store.state(entry)? {
        State::Restored => return Ok(Action::Nothing),
        State::Written => return Ok(Action::Restore),
        State::Changed(now) => now,
    };
    if entry.kind == Kind::Snippet && usage::is_own_snippet(&now, store) {
        return Ok(Action::Replace(Vec::new()));
    }
    Ok(match store.without_own(entry, &now) {
        Some(rest) if rest == now => Action::Nothing,
        Some(rest) => Action::Replace(rest),
        None => Action::Stay(now),
    })
}

fn restore_file(
    entry: &Entry,
    action: &Action,
    store: &mut Store,
    stdio: &mut Stdio<'_>,
) -> Result<()> {
    let path = entry.path.display();
    let is_change = matches!(action, Action::Restore | Action::Replace(_));
    if is_change && entry.kind != Kind::Program && !store.record.restart {
        store.record.restart = true;
        store.save()?;
    }
    match action {
        Action::Nothing => return Ok(()),
        Action::Restore => {
            store.restore(entry)?;
            return print(stdio, &format!("{path} restored"));
        }
        Action::Replace(rest) if rest.is_empty() && !entry.has_before() => remove(&entry.path)?,
        Action::Replace(rest) if rest.is_empty() && entry.kind != Kind::Flags => {
            remove(&entry.path)?;
        }
        Action::Replace(rest) => put(&entry.path, rest, entry.mode(), None)
            .map_err(|error| super::record::failed("cannot write", &entry.path, &error))?,
        Action::Keep => {
            let text = format!("{path} stays, because other providers were added that need it");
            return print(stdio, &text);
        }
        Action::Stay(_) => {
            let text = format!("warning: {path} was changed meanwhile, and stays");
            let _ = writeln!(stdio.error, "{text}");
            return Ok(());
        }
    }
    print(
        stdio,
        &format!("{path}: only the provider was removed, because the file was changed meanwhile"),
    )
}
