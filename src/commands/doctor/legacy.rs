//! Logins that an older program of the same name left in the keychain.

use super::CheckContext;
use super::Diagnostic;
use super::command_line;
use crate::commands::conclude;
use crate::commands::print;
use crate::commands::scopes::listed;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::login::legacy::LegacyLogin;
use crate::login::legacy::SERVICE;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    if context.settings_error.is_some() {
        return Vec::new();
    }
    // The group of keychains reports errors.
    let logins = legacy_logins(context).unwrap_or_default();
    if logins.is_empty() {
        return Vec::new();
    }
    let registries: Vec<&Registry> = logins.iter().map(|login| &login.registry).collect();
    vec![Diagnostic::warning(
        "legacy-login",
        format!(
            "an older program of the same name left logins in the keychain for {}",
            listed(&registries)
        ),
        format!(
            "Run '{}' to use them, then delete the old ones with {}",
            command_line("doctor --take-over"),
            removal()
        ),
    )]
}

fn legacy_logins(context: &CheckContext<'_>) -> Result<Vec<LegacyLogin>> {
    // The older program uses the Secret Service, which these settings exclude.
    if matches!(
        context.settings.keychain,
        KeychainChoice::Kernel
            | KeychainChoice::None
            | KeychainChoice::Pass
            | KeychainChoice::SystemdCreds
    ) {
        return Ok(Vec::new());
    }
    let registries: Vec<Registry> = context.settings.all_registries().collect();
    (context.context.legacy_logins)(&registries)
        .map_err(|error| error.into_error("cannot read an older program's logins", Error::user))
}

/// Returns how to delete the older program's items.
fn removal() -> String {
    if cfg!(target_os = "linux") {
        format!("'secret-tool clear service {SERVICE}'")
    } else {
        format!("the system's keychain program (search for {SERVICE})")
    }
}

/// Stores the refresh tokens as logins of this program and checks them; prints which
/// ones work.
///
/// # Errors
/// No login is found, or one of them does not work.
pub(super) fn run_take_over(stdio: &mut Stdio<'_>, context: &CheckContext<'_>) -> Result<()> {
    let logins = legacy_logins(context)?;
    if logins.is_empty() {
        return Err(
            Error::user("no login of an older program found in the keychain")
                .with_hint(format!("Log in with '{}'", command_line("login"))),
        );
    }
    let settings = context.settings.clone();
    let session = Session::with_settings(context.context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let (stored, errors) = take_over(logins, &broker);
    if !stored.is_empty() {
        print(stdio, &take_over_text(&stored))?;
    }
    conclude(&errors)
}

/// Takes over each login; returns the registries of those that work, and the errors of
/// the others.
fn take_over(logins: Vec<LegacyLogin>, broker: &Broker<'_>) -> (Vec<Registry>, Vec<String>) {
    let mut stored: Vec<Registry> = Vec::new();
    let mut errors: Vec<String> = Vec::new();
    for login in logins {
        let registry = login.registry.clone();
        match store_and_check(login, broker) {
            Ok(()) => stored.push(registry),
            Err(error) => errors.push(format!(
                "cannot take over: {}",
                error.with_name(registry.host())
            )),
        }
    }
    (stored, errors)
}

fn store_and_check(login: LegacyLogin, broker: &Broker<'_>) -> Result<()> {
    let LegacyLogin {
        registry,
        refresh_token,
    } = login;
    let scope = LoginScope::Registry(registry.clone());
    let logins = broker.login_snapshot();
    if logins.read(&scope)?.is_some() {
        return Err(Error::user(format!(
            "{registry} has a stored login, which is not replaced"
        )));
    }
    let credential = CredentialKind::RefreshToken.with(refresh_token);
    broker.store(&registry, credential, &broker.login_snapshot())?;
    let Err(error) = broker.get(&registry) else {
        return Ok(());
    };
    Err(match broker.log_out(&scope, &logins) {
        Ok(_) => error,
        Err(erase_error) => Error::user(format!(
            "{}, and cannot delete the stored login: {erase_error}",
            error.text()
        ))
        .with_hint(format!("Delete it with '{}'", scope.logout_command())),
    })
}

fn take_over_text(stored: &[Registry]) -> String {
    format!(
        "Stored the older program's logins for {}. These sessions expire; for a login that does not, run '{}'\nThe older program's own items are still stored. Delete them with {}",
        listed(stored),
        command_line("login"),
        removal()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::test_support::TestMachine;
    use crate::credentials::test_support::registry;
    use crate::keychain::KeychainError;
    use crate::secret::Secret;

    fn legacy_login(host: &str) -> LegacyLogin {
        LegacyLogin {
            registry: registry(host),
            refresh_token: Secret::new(format!("refresh-token-for-{host}")),
        }
    }

    #[test]
    fn an_error_for_one_registry_does_not_stop_the_others() {
        let machine = TestMachine::with_login("iamapikey", "key");
        let logins = ["de.icr.io", "us.icr.io", "uk.icr.io", "jp.icr.io"].map(legacy_login);
        machine.durable.refuse_to_write("uk.icr.io");
        let (stored, errors) = machine.with_broker(|broker| take_over(logins.into(), broker));
        assert_eq!(stored, ["de.icr.io", "jp.icr.io"].map(registry));
        let [own, unwritten] = &*errors else {
            panic!("{errors:?}");
        };
        assert!(own.contains("us.icr.io has a stored login"), "{own}");
        assert!(
            unwritten.starts_with("cannot take over: uk.icr.io: "),
            "{unwritten}"
        );
        machine.assert_get("us.icr.io", "iambearer:access-3");
    }

    #[test]
    fn a_login_that_does_not_work_and_cannot_be_deleted_is_reported() {
        let machine = TestMachine::new();
        machine.fail_iam_with(400);
        let durable = std::rc::Rc::clone(&machine.durable);
        let fails = move || durable.fail_with(Some(KeychainError::Refused("broken".into())));
        *machine.iam.on_request.borrow_mut() = Some(Box::new(fails));
        let logins = vec![legacy_login("us.icr.io")];
        let (stored, errors) = machine.with_broker(|broker| take_over(logins, broker));
        assert_eq!(stored, []);
        for part in ["us.icr.io", "cannot delete", "broken", "logout us.icr.io"] {
            assert!(errors[0].contains(part), "{errors:?}");
        }
    }
}
