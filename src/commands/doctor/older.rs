//! Did an older program of the same name leave a login behind?

use super::CheckContext;
use super::Diagnostic;
use super::command;
use crate::commands::scopes::listed;
use crate::context::Session;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::keychain::older::OlderLogin;
use crate::keychain::older::SERVICE;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    if patient.settings_failure.is_some() {
        return Vec::new();
    }
    // A check of its own says what is wrong with the keychain.
    let logins = found(patient).unwrap_or_default();
    if logins.is_empty() {
        return Vec::new();
    }
    let registries: Vec<&Registry> = logins.iter().map(|login| &login.registry).collect();
    vec![Diagnostic::warning(
        "older-program",
        format!(
            "an older program of the same name left a login for {} in the keychain",
            listed(&registries)
        ),
        format!(
            "run `{}` to use it, and remove it with {}",
            command("doctor --take-over"),
            removal()
        ),
    )]
}

fn found(patient: &CheckContext<'_>) -> Result<Vec<OlderLogin>> {
    // Where a person chose another keychain, nobody is asked.
    let may_ask = !matches!(
        patient.settings.keychain,
        KeychainChoice::Kernel | KeychainChoice::None
    );
    if !may_ask {
        return Ok(Vec::new());
    }
    let registries: Vec<Registry> = patient.settings.all_registries().collect();
    (patient.context.older_logins)(&registries).map_err(|error| Error::user(error.to_string()))
}

/// How the older program's items are removed by hand.
fn removal() -> String {
    match cfg!(target_os = "linux") {
        true => format!("`secret-tool clear service {SERVICE}`"),
        false => format!("the system's keychain program (look for {SERVICE})"),
    }
}

/// Stores the refresh tokens as logins of ours, and sees whether they work; gives
/// what is to be told of those that do, and why the others do not.
///
/// # Errors
/// There are none.
pub(super) fn take_over(patient: &CheckContext<'_>) -> Result<(Option<String>, Vec<String>)> {
    let logins = found(patient)?;
    if logins.is_empty() {
        return Err(Error::user(format!(
            "no login of an older program is in the keychain; `{}` makes one",
            command("login")
        )));
    }
    let context = patient.context;
    let session = Session::with_settings(context, patient.settings.clone(), Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let (taken, failures) = taken_over(logins, &broker);
    Ok(((!taken.is_empty()).then(|| said(&taken)), failures))
}

/// Each on its own: what became of the ones before stays told.
fn taken_over(logins: Vec<OlderLogin>, broker: &Broker<'_>) -> (Vec<Registry>, Vec<String>) {
    let mut taken: Vec<Registry> = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    for login in logins {
        let registry = login.registry.clone();
        match take(login, broker) {
            Ok(()) => taken.push(registry),
            Err(failure) => failures.push(format!(
                "not taken over: {}",
                failure.with_name(registry.host())
            )),
        }
    }
    (taken, failures)
}

fn take(login: OlderLogin, broker: &Broker<'_>) -> Result<()> {
    let OlderLogin {
        registry,
        refresh_token,
    } = login;
    let scope = LoginScope::Registry(registry.clone());
    if broker.login(&scope)?.is_some() {
        return Err(Error::user(format!(
            "{registry} has a login of its own, which stays"
        )));
    }
    broker.store(&registry, CredentialKind::RefreshToken.with(refresh_token))?;
    let Err(failure) = broker.get(&registry) else {
        return Ok(());
    };
    Err(match broker.erase(&registry) {
        Ok(_) => failure,
        Err(stuck) => Error::user(format!(
            "{failure}; what was stored to try it is still there ({stuck}), so remove it with `{}`",
            scope.logout_command()
        )),
    })
}

fn said(taken: &[Registry]) -> String {
    format!(
        "The login for {} is ours now. A session ends some day; `{}` makes one that does not.\nThe older program's own items are still there; {} removes them.",
        listed(taken),
        command("login"),
        removal()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::machine::Machine;
    use crate::credentials::machine::registry;
    use crate::keychain::KeychainError;
    use crate::secret::Secret;

    fn older(host: &str) -> OlderLogin {
        OlderLogin {
            registry: registry(host),
            refresh_token: Secret::new(format!("refresh token for {host}")),
        }
    }

    #[test]
    fn one_that_cannot_be_taken_over_does_not_hide_what_became_of_the_others() {
        let machine = Machine::with_login("iamapikey", "key");
        let logins = ["de.icr.io", "us.icr.io", "uk.icr.io", "jp.icr.io"].map(older);
        machine.far.refuse_to_write("uk.icr.io");
        let (taken, failures) = machine.ask(|broker| taken_over(logins.into(), broker));
        assert_eq!(taken, ["de.icr.io", "jp.icr.io"].map(registry));
        let [own, unwritten] = &*failures else {
            panic!("{failures:?}");
        };
        assert!(own.contains("us.icr.io has a login of its own"), "{own}");
        assert!(
            unwritten.starts_with("not taken over: uk.icr.io: "),
            "{unwritten}"
        );
        machine.answers("us.icr.io", "iambearer:access-3");
    }

    #[test]
    fn what_does_not_work_and_cannot_be_removed_again_is_told() {
        let machine = Machine::new();
        machine.fail_iam_with(400);
        let far = std::rc::Rc::clone(&machine.far);
        let fails = move || far.fail_with(Some(KeychainError::Refused("broken".into())));
        *machine.iam.meanwhile.borrow_mut() = Some(Box::new(fails));
        let logins = vec![older("us.icr.io")];
        let (taken, failures) = machine.ask(|broker| taken_over(logins, broker));
        assert_eq!(taken, []);
        for part in ["us.icr.io", "still there", "broken", "logout us.icr.io"] {
            assert!(failures[0].contains(part), "{failures:?}");
        }
    }
}
