//! `configure`: switches the helper on in clients' files, and off again.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

use super::clients::machine;
use super::conclude;
use super::configure_choice::Choosing;
use super::configure_choice::files_of;
use super::migration::Migration;
use super::print;
use super::print_json;
use super::scopes::listed;
use super::warnings::Warnings;
use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::diff;
use crate::client_config::docker;
use crate::client_config::file;
use crate::client_config::file::ReplaceError;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::AuthKind;
use crate::client_config::json::Document;
use crate::client_config::json::HelperPlan;
use crate::client_config::json::ParseError;
use crate::client_config::json::apply_edits;
use crate::client_config::podman;
use crate::client_config::undo::Change;
use crate::client_config::undo::Record;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::credentials::login_command;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::fs;
use crate::keychain::Prompting;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr configure                         asks, or takes what it finds
  docker-credential-icr configure --registry us.icr.io de.icr.io
  docker-credential-icr configure podman --registry us.icr.io
  docker-credential-icr configure --migrate               moves passwords into the keychain
  docker-credential-icr configure --all --dry-run         shows what it would do
  docker-credential-icr configure --undo                  takes it all out again";

/// From so many registries on, the cost of a classic build is worth a warning.
const MANY: usize = 5;

/// What each registry adds to a classic `docker build`, in starts of `/bin/true`;
/// `benches/run` measures it.
const COST: f64 = 1.6;

/// How long one of these took where that was measured, in milliseconds.
const START: f64 = 1.06;

/// How often somebody else may change a file while this program does.
const MOST_ATTEMPTS: u32 = 5;

/// The longest name of a helper that is told back, in characters.
const LONGEST: usize = 100;

/// Switch the helper on in the files of docker and podman, or off again
///
/// Nothing else in these files changes: not a space. Passwords for registries
/// that lie in them are told; --migrate moves them into the keychain.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The client; without it, all that are found
    client: Option<Client>,

    /// Registries, such as us.icr.io
    #[arg(long = "registry", value_name = "HOST", num_args = 1.., value_delimiter = ',')]
    registries: Vec<String>,

    /// Every public registry; makes a classic `docker build` slower
    #[arg(long, conflicts_with = "registries")]
    all: bool,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Take out what `configure` has put in; passwords do not come back
    #[arg(long, conflicts_with_all = ["registries", "all", "migrate", "force"])]
    undo: bool,

    /// Move the registries' passwords that lie in these files into the keychain
    #[arg(long)]
    migrate: bool,

    /// Replace other helpers, and other logins in the keychain
    #[arg(long)]
    force: bool,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

/// What came of one file.
#[derive(Debug)]
struct Done {
    client: Client,
    path: String,
    /// Hosts that were put in, or taken out.
    hosts: Vec<String>,
    already: Vec<String>,
    /// Registries whose passwords were taken out.
    migrated: Vec<String>,
    created: bool,
    removed: bool,
    changed: bool,
    diff: Option<String>,
}

impl Done {
    fn nothing(client: Client, path: &Path) -> Self {
        Self {
            client,
            path: path.display().to_string(),
            hosts: Vec::new(),
            already: Vec::new(),
            migrated: Vec::new(),
            created: false,
            removed: false,
            changed: false,
            diff: None,
        }
    }
}

/// A change of one file that was thought of, and not made yet.
struct Plan {
    helper_plan: HelperPlan,
    /// The file without the passwords that were moved.
    base: Zeroizing<String>,
    /// … and with the helper.
    new: Zeroizing<String>,
    migrated: Vec<Registry>,
}

struct Configuring<'a> {
    arguments: &'a Arguments,
    broker: &'a Broker<'a>,
    hosts: Vec<String>,
    is_interactive: bool,
    warnings: &'a Warnings<'a>,
    context: &'a Context<'a>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let warnings = Warnings::new(context);
    let (done, failures) = match arguments.undo {
        true => undo(arguments, context, &warnings)?,
        false => configure(arguments, context, &warnings)?,
    };
    match arguments.json {
        true => print_json(stdio, &as_json(arguments, &done, &warnings))?,
        false => {
            let text = told(arguments, &done, failures.is_empty());
            if !text.is_empty() {
                print(stdio, &text)?;
            }
        }
    }
    if !arguments.undo && !arguments.dry_run {
        tell_of_nobody(&done, context, &warnings)?;
    }
    conclude(&failures)
}

fn configure(
    arguments: &Arguments,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<(Vec<Done>, Vec<String>)> {
    let session = Session::open(context, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let is_interactive = context.terminal.is_interactive() && !arguments.json;
    let machine = machine(context);
    let choosing = Choosing {
        broker: &broker,
        is_interactive,
        machine,
        moves_passwords: arguments.migrate,
        warnings,
        context,
    };
    let choice = choosing.choose(arguments.client, &arguments.registries, arguments.all)?;
    let configuring = Configuring {
        arguments,
        broker: &broker,
        hosts: choice.hosts,
        is_interactive,
        warnings,
        context,
    };
    let (done, failures) = configuring.run(&choice.files)?;
    warn_of_snap(&choice.clients, context, warnings);
    Ok((done, failures))
}

/// Which of the registries that were switched on have nobody who speaks for them. It
/// is no more than a note: no keychain is unlocked for it.
fn tell_of_nobody(done: &[Done], context: &Context<'_>, warnings: &Warnings<'_>) -> Result<()> {
    let mut session = Session::open(context, Prompting::Never)?;
    session.keychains = session.keychains.remembered();
    let broker = Broker::new(&session);
    let mut hosts: Vec<&String> = Vec::new();
    for host in done
        .iter()
        .flat_map(|done| done.hosts.iter().chain(&done.already))
    {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let registries = hosts.into_iter();
    let registries = registries.filter_map(|host| Registry::at(host, &session.settings.registries));
    let is_nobodys = |registry: &Registry| matches!(broker.speaker(registry), Ok(None));
    let mut by_command: BTreeMap<String, Vec<Registry>> = BTreeMap::new();
    for registry in registries.filter(is_nobodys) {
        let command = login_command(&registry, &session.settings);
        by_command.entry(command).or_default().push(registry);
    }
    for (command, registries) in by_command {
        warnings.note(&format!(
            "Nobody is logged in at {} yet: `{command}`.",
            listed(&registries)
        ));
    }
    Ok(())
}

impl Configuring<'_> {
    /// Every file is read before the first one is written.
    fn run(&self, files: &[ClientFile]) -> Result<(Vec<Done>, Vec<String>)> {
        let _lock = self.context.locks.lock_client_files();
        if !self.arguments.dry_run {
            sweep(
                &known_files(self.context).unwrap_or_default(),
                self.warnings,
            );
        }
        let mut found = Vec::new();
        for file in files {
            found.extend(self.look_at(file)?);
        }
        let moves = !found.is_empty() && self.moves(&found)?;
        if self.arguments.dry_run {
            let done = files.iter().map(|file| self.shown(file, moves));
            self.advise(files);
            return Ok((done.collect::<Result<_>>()?, Vec::new()));
        }
        let mut migration = match moves {
            true => Migration::of(&found, self.broker, self.arguments.force, self.context),
            false => Migration::default(),
        };
        let mut done = Vec::new();
        let mut failures = std::mem::take(&mut migration.failures);
        for file in files {
            match self.change(file, &mut migration) {
                Ok(changed) => done.push(changed),
                Err(failure) => failures.push(failure.to_string()),
            }
        }
        migration.take_back(self.broker, self.warnings);
        for left in files.iter().flat_map(|file| file::leftovers(&file.path)) {
            migration.may_lie_in(&left.display().to_string());
        }
        migration.tell(self.warnings);
        self.advise(files);
        Ok((done, failures))
    }

    /// Refuses what cannot be done, and gives the passwords of the chosen registries
    /// with the file they lie in.
    fn look_at(&self, file: &ClientFile) -> Result<Vec<(String, AuthEntry)>> {
        let text = read(&file.path)?;
        let text = text.as_deref().map_or("", String::as_str);
        let document = parse(&file.path, text)?;
        let helper_plan = plan_helpers(&file.path, &document, &self.hosts)?;
        self.may_replace(&file.path, &helper_plan)?;
        let path = file.path.display().to_string();
        if document.is_our_store() {
            self.warnings.warn(format!(
                "{path} has `\"credsStore\": \"icr\"`, so that docker asks this helper for every registry, and cannot log in at others; `credHelpers` are enough, so take that line out"
            ));
        }
        self.warn_of_lost_store(file, &document);
        let logins = document.auth_entries(&self.broker.settings.registries);
        let (chosen, others): (Vec<_>, Vec<_>) = logins
            .into_iter()
            .partition(|login| self.hosts.iter().any(|host| host == login.registry.host()));
        for login in others {
            self.warnings.warn(format!(
                "the password for {} lies in clear in {path}; name that registry, too, to move it: --migrate --registry {}",
                login.key,
                login.registry
            ));
        }
        Ok(chosen
            .into_iter()
            .map(|login| (path.clone(), login))
            .collect())
    }

    /// docker no longer looks for a keychain by itself once a helper is named.
    fn warn_of_lost_store(&self, file: &ClientFile, document: &Document<'_>) {
        let store = docker::detected_store(&machine(self.context));
        let is_lost = file.client == Client::Docker && !document.mentions_logins();
        if let Some(store) = store.filter(|_| is_lost) {
            self.warnings.warn(format!(
                "until now docker kept logins at other registries in the system's keychain by itself, which it no longer does once a helper is named: put `\"credsStore\": \"{store}\"` into {}, too",
                file.path.display()
            ));
        }
    }

    fn may_replace(&self, path: &Path, helper_plan: &HelperPlan) -> Result<()> {
        if self.arguments.force {
            return Ok(());
        }
        for (host, other) in &helper_plan.other_helpers {
            let other = one_line(other, LONGEST);
            let asks = self.is_interactive && !self.arguments.dry_run;
            let question = format!(
                "In {}, the helper `{other}` answers for {host}. Replace it?",
                path.display()
            );
            if asks
                && self
                    .context
                    .terminal
                    .confirm(&question, false)
                    .unwrap_or(false)
            {
                continue;
            }
            return Err(Error::user(format!(
                "in {}, the helper `{other}` (docker-credential-{other}) answers for {host}; nothing was changed, and --force replaces it",
                path.display()
            )));
        }
        Ok(())
    }

    /// Whether the passwords are to be moved; otherwise says where they lie.
    fn moves(&self, found: &[(String, AuthEntry)]) -> Result<bool> {
        if self.arguments.migrate {
            return Ok(true);
        }
        let mut places: Vec<String> = Vec::new();
        for (path, login) in found {
            let place = format!("{} in {path}", login.key);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let told = format!("passwords lie in clear for {}", listed(&places));
        if self.is_interactive && !self.arguments.dry_run {
            self.context.terminal.write_line(&format!("Found: {told}."));
            let question = "Move them into the keychain, and out of the files once they are tried?";
            let answer = self.context.terminal.confirm(question, true);
            if answer.map_err(|_| Error::user("nothing was said, so nothing was changed"))? {
                return Ok(true);
            }
        }
        self.warnings.warn(format!(
            "{told}; clients that ask the helper no longer use them, so move them with `{PROGRAM} configure --migrate`"
        ));
        Ok(false)
    }

    /// What the file would be.
    fn plan(
        &self,
        path: &Path,
        text: &str,
        hosts: &[String],
        is_moved: &dyn Fn(&AuthEntry) -> bool,
    ) -> Result<Plan> {
        let further = &self.broker.settings.registries;
        let document = parse(path, text)?;
        let logins = document.auth_entries(further);
        let moved: Vec<&AuthEntry> = logins.iter().filter(|login| is_moved(login)).collect();
        let edits = document.remove_auth_entries(further, &|registry, credential| {
            moved.iter().any(|login| {
                login.registry == *registry
                    && matches!(&login.kind, AuthKind::Credential(other) if other == credential)
            })
        });
        let base = Zeroizing::new(apply_edits(text, &edits));
        let helper_plan = plan_helpers(path, &parse(path, &base)?, hosts)?;
        Ok(Plan {
            new: Zeroizing::new(apply_edits(&base, &helper_plan.edits)),
            migrated: moved.iter().map(|login| login.registry.clone()).collect(),
            helper_plan,
            base,
        })
    }

    fn shown(&self, file: &ClientFile, moves: bool) -> Result<Done> {
        let old = read(&file.path)?;
        let text = old.as_deref().map_or("", String::as_str);
        let plan = self.plan(&file.path, text, &self.hosts, &|login| {
            moves && self.hosts.iter().any(|host| host == login.registry.host())
        })?;
        let changed = *plan.new != text;
        let mut done = self.done(file, &plan, &self.hosts, old.is_none() && changed);
        done.changed = changed;
        done.diff = changed.then(|| {
            diff::unified(
                &file.path,
                old.as_deref().map(String::as_str),
                Some(&plan.new),
            )
        });
        Ok(done)
    }

    fn done(&self, file: &ClientFile, plan: &Plan, hosts: &[String], created: bool) -> Done {
        let is_new = |host: &&String| !plan.helper_plan.configured.contains(host);
        let mut migrated: Vec<String> = Vec::new();
        for registry in &plan.migrated {
            if !migrated.iter().any(|host| host == registry.host()) {
                migrated.push(registry.host().to_owned());
            }
        }
        Done {
            hosts: hosts.iter().filter(is_new).cloned().collect(),
            already: plan.helper_plan.configured.clone(),
            migrated,
            created,
            ..Done::nothing(file.client, &file.path)
        }
    }

    /// Changes one file, and notes before what is put in. Where a password could not
    /// be moved, the helper is not named: it would have nothing to answer.
    fn change(&self, file: &ClientFile, migration: &mut Migration) -> Result<Done> {
        let is_served = |host: &&String| !migration.is_stuck(host);
        let hosts: Vec<String> = self.hosts.iter().filter(is_served).cloned().collect();
        for _ in 0..MOST_ATTEMPTS {
            let old = read(&file.path)?;
            let old = old.as_deref().map(String::as_str);
            let text = old.unwrap_or_default();
            let plan = self.plan(&file.path, text, &hosts, &|login| match &login.kind {
                AuthKind::Credential(credential) => migration.has(&login.registry, credential),
                _ => false,
            })?;
            self.may_replace(&file.path, &plan.helper_plan)?;
            let changed = *plan.new != text;
            let mut done = self.done(file, &plan, &hosts, old.is_none() && changed);
            done.changed = changed;
            if changed {
                match self.put_in(file, old, &plan, &done.hosts) {
                    Err(ReplaceError::Changed) => continue,
                    Err(ReplaceError::Failed(error)) => return Err(unwritten(&file.path, &error)),
                    Ok(()) => {}
                }
            }
            migration.is_out_of(&done.path, &plan.migrated);
            return Ok(done);
        }
        Err(unwritten(&file.path, &ReplaceError::Changed))
    }

    /// Writes the new version of a file. What cannot be noted is not put in: nobody
    /// could take it out again.
    fn put_in(
        &self,
        file: &ClientFile,
        old: Option<&str>,
        plan: &Plan,
        hosts: &[String],
    ) -> Result<(), ReplaceError> {
        let replace = || file::replace(&file.path, old, &plan.new).map(drop);
        if hosts.is_empty() {
            return replace();
        }
        let former = plan.helper_plan.other_helpers.iter();
        let former = |host: &String| former.clone().find(|(other, _)| other == host);
        let hosts = hosts
            .iter()
            .map(|host| (host.clone(), former(host).map(|(_, helper)| helper.clone())));
        let change = Change::new(
            (file.client, &absolute(&file.path)),
            hosts.collect(),
            plan.helper_plan.creates_section,
            &plan.base,
            &plan.helper_plan.edits,
        );
        let change = change.with(file::missing(&file.path, old)?);
        let directory = state(self.context)?;
        let mut record = Record::load(&directory)?;
        record.changes.push(change);
        let noted = record.save(&directory);
        noted.context("what is put in cannot be noted for --undo")?;
        replace().inspect_err(|_| {
            record.changes.pop();
            // It may stand there in vain: --undo then finds nothing of it.
            let _ = record.save(&directory);
        })
    }

    /// What a person should know about the files and the registries.
    fn advise(&self, files: &[ClientFile]) {
        let temporary = files.iter().find(|file| file.is_temporary);
        if let Some(file) = temporary {
            self.warnings.note(&format!(
                "{} is where `podman login` writes; the system empties that directory at logout. To keep it: export {}=~/.config/containers/auth.json, then run this again.",
                file.path.display(),
                podman::FILE
            ));
        }
        let docker = files.iter().find(|file| file.client == Client::Docker);
        let count = docker.map_or(0, |file| self.count_in(file));
        if count >= MANY {
            self.warnings.warn(format!(
                "a classic `docker build` asks for each of these {count} registries, also for those it does not need: that takes as long as starting /bin/true {:.0} times, about {:.0} ms (once tokens are there; BuildKit asks only for what it needs)",
                count as f64 * COST,
                count as f64 * COST * START
            ));
        }
    }

    /// How many registries this program answers for, in the end.
    fn count_in(&self, file: &ClientFile) -> usize {
        let text = read(&file.path).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let mut hosts = Document::parse(text).map_or(Vec::new(), |document| document.our_hosts());
        let new = self
            .hosts
            .iter()
            .filter(|host| !hosts.contains(host))
            .cloned();
        let new: Vec<String> = new.collect();
        hosts.extend(new);
        hosts.len()
    }
}

fn warn_of_snap(clients: &[Client], context: &Context<'_>, warnings: &Warnings<'_>) {
    let snap = docker::snap_file(context.system_paths.home.as_deref());
    if let Some(file) = snap.filter(|_| clients.contains(&Client::Docker)) {
        warnings.warn(format!(
            "docker of a snap reads {} instead, and can start no helper outside of the snap; install docker from its own packages to use this one",
            file.display()
        ));
    }
}

/// Takes out what is noted, the latest first; what cannot be taken out now stays
/// noted.
fn undo(
    arguments: &Arguments,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<(Vec<Done>, Vec<String>)> {
    let _lock = context.locks.lock_client_files();
    let directory = state(context).map_err(|error| Error::user(format!("{error:#}")))?;
    let mut record = Record::load(&directory).map_err(|error| Error::user(format!("{error:#}")))?;
    let mut paths: Vec<_> = record
        .changes
        .iter()
        .map(|change| change.path.clone())
        .collect();
    paths.sort();
    paths.dedup();
    let known = known_files(context)?;
    if !arguments.dry_run {
        sweep(&known, warnings);
    }
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for path in paths {
        let is_meant = |change: &&Change| {
            change.path == path
                && arguments
                    .client
                    .is_none_or(|client| client == change.client)
        };
        let changes: Vec<Change> = record.changes.iter().filter(is_meant).cloned().collect();
        if changes.is_empty() {
            continue;
        }
        let taken_out = may_take_out(&path, &known, &directory)
            .and_then(|()| take_out_as_owner(&path, &directory, &changes, arguments.dry_run));
        match taken_out {
            Ok(out) => {
                done.push(out);
                record.changes.retain(|change| !is_meant(&change));
            }
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if !arguments.dry_run {
        record.save(&directory).map_err(|error| {
            Error::user(format!("what was taken out cannot be noted ({error:#})"))
        })?;
    }
    tell_what_stays(arguments, &done, &record, warnings, context);
    Ok((done, failures))
}

/// Removes the copies of clients' files that killed runs left beside them.
fn sweep(files: &[PathBuf], warnings: &Warnings<'_>) {
    for path in files.iter().flat_map(|path| file::sweep(path)) {
        warnings.note(&format!(
            "Removed {}, a copy of a client's file that an interrupted run had left.",
            path.display()
        ));
    }
}

/// The files that `--undo` may touch: those in which clients look now, and those in
/// which they look without variables.
fn known_files(context: &Context<'_>) -> Result<Vec<PathBuf>> {
    let environment = Environment::default();
    let unset = Machine {
        environment: &environment,
        ..machine(context)
    };
    let mut known = Vec::new();
    for machine in [machine(context), unset] {
        for client in Client::ALL {
            known.extend(client.possible_files(&machine)?);
        }
    }
    Ok(known.iter().map(|path| absolute(path)).collect())
}

/// Refuses what a note must not make this program do: change another file than those of
/// clients, or one that the note's owner may not change.
fn may_take_out(path: &Path, known: &[PathBuf], note: &Path) -> Result<()> {
    if !known.iter().any(|known| known == path) {
        return Err(unwritten(
            path,
            &"it is none of the files in which clients look now; if a variable such as DOCKER_CONFIG named it, set that again and repeat this, otherwise take the helper out of it by hand",
        ));
    }
    let owner = fs::acting_owner(note);
    if owner.is_some() && fs::is_there(path) && owner != fs::acting_owner(path) {
        return Err(unwritten(
            path,
            &format!(
                "what was put in is noted in {}, whose owner may not change this file; take the helper out of it by hand",
                note.display()
            ),
        ));
    }
    Ok(())
}

/// Takes the changes out with no more rights than the owner of the note has.
fn take_out_as_owner(path: &Path, note: &Path, changes: &[Change], is_dry: bool) -> Result<Done> {
    let _rights = fs::act_as_owner(note).map_err(|error| unwritten(path, &error))?;
    take_out(path, changes, is_dry)
}

/// Which files name this program all the same, because somebody else put that in.
fn tell_what_stays(
    arguments: &Arguments,
    done: &[Done],
    left: &Record,
    warnings: &Warnings<'_>,
    context: &Context<'_>,
) {
    let clients = arguments.client.map_or(Client::ALL.to_vec(), |it| vec![it]);
    for file in files_of(&clients, &machine(context)).unwrap_or_default() {
        let path = absolute(&file.path);
        if left.changes.iter().any(|change| change.path == path) {
            continue;
        }
        let text = read(&file.path).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let mut hosts = Document::parse(text).map_or(Vec::new(), |document| document.our_hosts());
        let path = path.display().to_string();
        // What a dry run would take out is still there.
        let out = done.iter().filter(|done| done.path == path);
        let out: Vec<&String> = out.flat_map(|done| &done.hosts).collect();
        hosts.retain(|host| !out.contains(&host));
        if !hosts.is_empty() {
            warnings.note(&format!(
                "{path} still names the helper for {}, which was put in by hand; take it out there.",
                listed(&hosts)
            ));
        }
    }
}

/// Takes all changes of a file out of it.
fn take_out(path: &Path, changes: &[Change], is_dry: bool) -> Result<Done> {
    let client = changes
        .first()
        .map_or(Client::Docker, |change| change.client);
    for _ in 0..MOST_ATTEMPTS {
        let mut done = Done::nothing(client, path);
        let Some(old) = read(path)? else {
            return Ok(done);
        };
        let before = parse(path, &old)?.our_hosts();
        let new = changes
            .iter()
            .rev()
            .fold(old.to_string(), |text, change| change.revert(&text));
        let document = parse(path, &new)?;
        let after = document.our_hosts();
        done.hosts = before
            .into_iter()
            .filter(|host| !after.contains(host))
            .collect();
        done.changed = new != *old;
        let made = changes.iter().find(|change| change.made_file);
        done.removed = done.changed && made.is_some() && document.is_empty();
        if !done.changed {
            return Ok(done);
        }
        if is_dry {
            let new = (!done.removed).then_some(&*new);
            done.diff = Some(diff::unified(path, Some(&old), new));
            return Ok(done);
        }
        match file::replace(path, Some(&old), &new) {
            Err(ReplaceError::Changed) => continue,
            Err(ReplaceError::Failed(error)) => return Err(unwritten(path, &error)),
            Ok(_) => {}
        }
        if let Some(change) = made.filter(|_| done.removed) {
            let above = change.made_directories.iter();
            let above: Vec<PathBuf> = above.filter(|it| path.starts_with(it)).cloned().collect();
            let removed = file::remove(path, &above);
            removed.map_err(|error| unwritten(path, &error))?;
        }
        return Ok(done);
    }
    Err(unwritten(path, &ReplaceError::Changed))
}

/// Where the record is.
fn state(context: &Context<'_>) -> anyhow::Result<PathBuf> {
    let directory = context.state_directory.as_ref();
    let directory = directory.ok_or_else(|| anyhow::anyhow!("there is no home directory"))?;
    Ok(directory.join(PROGRAM))
}

/// Where a file is, from wherever the next command is started.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>> {
    file::read(path).map_err(|error| untouched(path, &error))
}

fn parse<'a>(path: &Path, text: &'a str) -> Result<Document<'a>> {
    Document::parse(text).map_err(|broken| untouched(path, &broken))
}

fn plan_helpers(path: &Path, document: &Document<'_>, hosts: &[String]) -> Result<HelperPlan> {
    document
        .plan_helpers(hosts)
        .map_err(|broken| untouched(path, &broken))
}

fn untouched(path: &Path, unread: &ParseError) -> Error {
    let advice = match unread {
        ParseError::Broken(_) => "mend it first",
        ParseError::Ambiguous(_) => {
            "clients may read it all the same, but this program changes no such file, so put it right, or name the helper there by hand"
        }
    };
    Error::user(format!(
        "{} is left as it is: {unread}; {advice}",
        path.display()
    ))
}

fn unwritten(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::user(format!("{} is left as it is: {reason:#}", path.display()))
}

fn told(arguments: &Arguments, done: &[Done], is_well: bool) -> String {
    if arguments.dry_run {
        let diffs: String = done
            .iter()
            .filter_map(|done| done.diff.as_deref())
            .collect();
        return match diffs.is_empty() {
            true => "Nothing would change.".into(),
            false => diffs.trim_end().to_owned(),
        };
    }
    let is_worth_a_line =
        |done: &&Done| arguments.undo || !(done.hosts.is_empty() && done.already.is_empty());
    let done = done.iter().filter(is_worth_a_line);
    let lines: Vec<String> = done.map(|done| done.line(arguments.undo)).collect();
    match lines.is_empty() && arguments.undo && is_well {
        true => "There is nothing to take out.".into(),
        false => lines.join("\n"),
    }
}

impl Done {
    fn line(&self, is_undo: bool) -> String {
        let file = format!("{}: {}", self.client, self.path);
        match (is_undo, self.removed, self.hosts.is_empty()) {
            (true, true, _) => format!("{file} was made by this program, and is removed."),
            (true, false, false) => format!(
                "{file} no longer names the helper for {}.",
                listed(&self.hosts)
            ),
            (true, false, true) => format!("{file} no longer has anything of this program's."),
            (false, _, true) => format!(
                "{file} already names the helper for {}.",
                listed(&self.already)
            ),
            (false, _, false) => {
                format!("{file} now names the helper for {}.", listed(&self.hosts))
            }
        }
    }
}

fn as_json(arguments: &Arguments, done: &[Done], warnings: &Warnings<'_>) -> Value {
    let key = if arguments.undo { "removed" } else { "added" };
    let files: Vec<Value> = done
        .iter()
        .map(|done| {
            let mut file = json!({
                "client": done.client.name(),
                "path": done.path,
                "changed": done.changed,
                "created": done.created,
                "deleted": done.removed,
                "added": [],
                "removed": [],
                "already": done.already,
                "migrated": done.migrated,
                "diff": done.diff,
            });
            file[key] = json!(done.hosts);
            file
        })
        .collect();
    json!({"dry_run": arguments.dry_run, "files": files, "warnings": warnings.texts()})
}
