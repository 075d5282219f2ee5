//! `keychain move`: moves the logins to another keychain.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;

use super::conclude_errors;
use super::print;
use super::scopes::login_for;
use super::warnings::Warnings;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Item;
use crate::keychain::KeychainError;
use crate::keychain::Keychains;
use crate::keychain::Prompting;
use crate::lock::LOGIN_LOCK_TIMEOUT;
use crate::lock::Lock;
use crate::login::LoginScope;
use crate::login::Logins;
use crate::secret::Secret;
use crate::settings::KeychainChoice;
use crate::settings::Settings;
use crate::token_cache::TokenCache;

/// The keychains of Linux, in the order in which `auto` reads them.
const KEYCHAINS: [KeychainChoice; 4] = [
    KeychainChoice::Kernel,
    KeychainChoice::Pass,
    KeychainChoice::SystemdCreds,
    KeychainChoice::SecretService,
];

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr keychain move --to systemd-creds --dry-run
  docker-credential-icr keychain move --from kernel --to pass";

/// Move logins to another keychain
#[derive(clap::Args)]
#[command(arg_required_else_help = false, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Move(Move),
}

/// Move logins to another keychain
///
/// Writes each login, reads it back and compares it, and then deletes it where it was. If the
/// command is interrupted, no login is lost: run it again.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
struct Move {
    /// Keychain that stores the logins from now on
    #[arg(long, value_name = "NAME", value_parser = keychain_names())]
    to: KeychainChoice,

    /// Move only the logins of this keychain [default: all others]
    #[arg(long, value_name = "NAME", value_parser = keychain_names())]
    from: Option<KeychainChoice>,

    /// Show what would be moved, and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn keychain_names() -> impl TypedValueParser<Value = KeychainChoice> {
    let names = PossibleValuesParser::new(KEYCHAINS.map(KeychainChoice::name));
    names.map(|name| KeychainChoice::from_name(&name).unwrap_or_default())
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let Action::Move(arguments) = &arguments.action;
    if arguments.from == Some(arguments.to) {
        return Err(Error::usage("--from and --to are the same keychain"));
    }
    let settings = context.settings()?;
    let warnings = Warnings::new(context);
    let to = Place::open(arguments.to, &settings, context)?;
    let from = sources(arguments, &settings, context, &warnings)?;
    let transfer = Transfer {
        settings: &settings,
        context,
        from: &from,
        to: &to,
        is_dry_run: arguments.dry_run,
    };
    let mut failures = Vec::new();
    let mut moved = 0;
    for scope in transfer.scopes() {
        match transfer.move_login(&scope) {
            Ok(text) => {
                moved += 1;
                print(stdio, &text)?;
            }
            Err(error) => failures.push(error),
        }
    }
    if moved == 0 && failures.is_empty() {
        print(
            stdio,
            &format!("No login is stored outside of {}", to.name()),
        )?;
    }
    let chosen = settings.keychain;
    if moved > 0 && !arguments.dry_run && ![KeychainChoice::Auto, to.choice].contains(&chosen) {
        warnings.warn(format!(
            "the settings select the keychain {chosen}, so these logins are not used until you set `keychain = \"{}\"` (or $ICR_KEYCHAIN)",
            to.name()
        ));
    }
    conclude_errors(failures)
}

/// Opens the keychains to move logins from. One that is absent has no logins, unless it was named.
fn sources(
    arguments: &Move,
    settings: &Settings,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<Vec<Place>> {
    let is_named = arguments.from.is_some();
    let named = arguments.from.map(|choice| vec![choice]);
    let mut choices = named.unwrap_or_else(|| KEYCHAINS.to_vec());
    choices.retain(|choice| *choice != arguments.to);
    let mut places = Vec::new();
    for choice in choices {
        let mut place = Place::open(choice, settings, context)?;
        match place.keychains.logins.logins() {
            Ok(listed) => {
                let names = listed.iter().map(|item| LoginScope::of_item(&item.name));
                place.scopes = names.flatten().collect();
                places.push(place);
            }
            Err(error) if is_named => {
                let operation = format!("cannot list the logins in {choice}");
                return Err(error.into_error(&operation, Error::user));
            }
            Err(error) if error.is_absent() => {}
            Err(error) => warnings.warn(format!("the logins in {choice} stay there: {error}")),
        }
    }
    Ok(places)
}

/// A keychain, with the scopes of its logins.
struct Place {
    choice: KeychainChoice,
    keychains: Keychains,
    scopes: BTreeSet<LoginScope>,
}

impl Place {
    fn open(choice: KeychainChoice, settings: &Settings, context: &Context<'_>) -> Result<Self> {
        let mut settings = settings.clone();
        settings.keychain = choice;
        Ok(Self {
            choice,
            keychains: context.keychains(&settings, Prompting::Allowed)?,
            scopes: BTreeSet::new(),
        })
    }

    fn name(&self) -> &'static str {
        self.choice.name()
    }

    fn logins(&self) -> Logins<'_> {
        Logins::in_keychain(&*self.keychains.logins)
    }

    /// Returns the record of a login.
    fn record(&self, scope: &LoginScope) -> Result<Option<Secret>> {
        let record = self.logins().record(scope);
        record.map_err(|error| failed("read", scope, self.choice, error))
    }
}

/// The move of all logins.
struct Transfer<'a> {
    settings: &'a Settings,
    context: &'a Context<'a>,
    from: &'a [Place],
    to: &'a Place,
    is_dry_run: bool,
}

impl Transfer<'_> {
    fn scopes(&self) -> BTreeSet<LoginScope> {
        let scopes = self.from.iter().flat_map(|place| place.scopes.iter());
        scopes.cloned().collect()
    }

    /// Moves the login for a scope, under its lock. Returns what was done.
    fn move_login(&self, scope: &LoginScope) -> Result<String> {
        let locks = &self.context.locks;
        let lock = locks.lock_login(&scope.item_name(), LOGIN_LOCK_TIMEOUT);
        if matches!(lock, Lock::Busy) {
            return Err(Error::temporary(format!(
                "cannot move {}: another process is changing it",
                login_for(scope)
            )));
        }
        let (record, places) = self.record(scope)?;
        let names: Vec<&str> = places.iter().map(|place| place.name()).collect();
        let names = names.join(" and ");
        let (login, to) = (login_for(scope), self.to.name());
        if self.is_dry_run {
            return Ok(format!("Would move {login} from {names} to {to}"));
        }
        self.write(scope, &record)?;
        for place in places {
            let deleted = place
                .keychains
                .logins
                .delete(&Item::login(&scope.item_name()));
            deleted.map_err(|error| failed("delete", scope, place.choice, error))?;
        }
        self.delete_hints(scope);
        Ok(format!("Moved {login} from {names} to {to}"))
    }

    /// Returns the record to move, and the keychains that have it.
    ///
    /// # Errors
    /// Keychains have different logins for this scope. `auto` uses only one of them, so the person
    /// decides which one is deleted.
    fn record(&self, scope: &LoginScope) -> Result<(Secret, Vec<&Place>)> {
        let mut records: BTreeMap<&str, Secret> = BTreeMap::new();
        let mut places = Vec::new();
        for place in self.from.iter().filter(|it| it.scopes.contains(scope)) {
            if let Some(record) = place.record(scope)? {
                records.insert(place.name(), record);
                places.push(place);
            }
        }
        if let Some(record) = self.to.record(scope)? {
            records.insert(self.to.name(), record);
        }
        let login = login_for(scope);
        let Some(record) = records.values().next().cloned() else {
            return Err(Error::user(format!("cannot move {login}: it was deleted")));
        };
        if records.values().any(|other| *other != record) {
            let names: Vec<&str> = records.into_keys().collect();
            let example = places.first().map_or(self.to.name(), |place| place.name());
            return Err(Error::user(format!(
                "cannot move {login}: {} have different ones",
                names.join(" and ")
            ))
            .with_hint(format!(
                "Delete one, for example with 'ICR_KEYCHAIN={example} {}'",
                scope.logout_command()
            )));
        }
        Ok((record, places))
    }

    /// Writes a login and reads it back with a keychain that is opened again, so that nothing which
    /// this process remembers takes the place of what is stored.
    fn write(&self, scope: &LoginScope, record: &Secret) -> Result<()> {
        let to = self.to.choice;
        let written = self.to.logins().write_record(scope, record);
        written.map_err(|error| failed("store", scope, to, error))?;
        let stored = Place::open(to, self.settings, self.context)?;
        if stored.record(scope)?.as_ref() == Some(record) {
            return Ok(());
        }
        Err(Error::user(format!(
            "cannot move {}: {to} does not return what was written",
            login_for(scope)
        )))
    }

    /// Deletes the hints that the login is not in a keychain. They would be used for a minute.
    fn delete_hints(&self, scope: &LoginScope) {
        let chosen = Place::open(self.settings.keychain, self.settings, self.context).ok();
        for place in chosen.iter().chain(self.from).chain([self.to]) {
            let tokens = &*place.keychains.tokens;
            TokenCache::new(tokens, self.context.clock).remove_login_hint(scope);
        }
    }
}

fn failed(verb: &str, scope: &LoginScope, keychain: KeychainChoice, error: KeychainError) -> Error {
    let operation = format!("cannot {verb} {} in {keychain}", login_for(scope));
    error.into_error(&operation, Error::user)
}
