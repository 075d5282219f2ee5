//! `kubelet uninstall`: restores what was there before `kubelet install`.

use std::time::Duration;

use super::MachineArguments;
use super::end_signals;
use super::enter;
use super::finish;
use super::record::Entry;
use super::record::Kind;
use super::record::State;
use super::record::Store;
use super::record::put;
use super::record::remove;
use super::wait;
use crate::client_config::kubelet_flags;
use crate::client_config::kubelet_provider_edit;
use crate::commands::kubelet::PROVIDER;
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
        restore(Store::open(root)?, arguments, stdio)?;
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

/// Restores the files in the reverse order, so that the kubelet can start at any moment. The
/// program is deleted when the kubelet does not use it any more.
fn restore(mut store: Store, arguments: &Arguments, stdio: &mut Stdio<'_>) -> Result<()> {
    let mut entries = store.record.files.clone();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.kind));
    let (programs, others): (Vec<Entry>, Vec<Entry>) = entries
        .into_iter()
        .partition(|entry| entry.kind == Kind::Program);
    for entry in &others {
        restore_file(entry, &mut store, stdio)?;
    }
    finish(&mut store, &arguments.machine, stdio)?;
    for entry in &programs {
        restore_file(entry, &mut store, stdio)?;
    }
    store.delete()
}

fn restore_file(entry: &Entry, store: &mut Store, stdio: &mut Stdio<'_>) -> Result<()> {
    let path = entry.path.display();
    let changed = match store.state(entry)? {
        State::Restored => return Ok(()),
        State::Written => None,
        State::Changed(content) => Some(content),
    };
    if entry.kind != Kind::Program && !store.record.restart {
        store.record.restart = true;
        store.save()?;
    }
    let Some(content) = changed else {
        store.restore(entry)?;
        return print(stdio, &format!("{path} restored"));
    };
    let text = String::from_utf8_lossy(&content);
    let rest = match entry.kind {
        Kind::Config => kubelet_provider_edit::without_provider(&text, PROVIDER),
        Kind::Flags => Some(kubelet_flags::without_flags(&text, &store.record.flags)),
        Kind::Program | Kind::Snippet => None,
    };
    match rest {
        Some(rest) if rest.is_empty() => remove(&entry.path)?,
        Some(rest) => put(&entry.path, rest.as_bytes(), entry.mode(), None)
            .map_err(|error| super::record::failed("cannot write", &entry.path, &error))?,
        None => {
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
