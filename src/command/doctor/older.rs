//! Did an older program of the same name leave a login behind?

use super::Finding;
use super::Patient;
use super::command;
use crate::command::scopes::listed;
use crate::failure::Failure;
use crate::failure::Result;
use crate::keychain::Prompting;
use crate::keychain::older::OlderLogin;
use crate::keychain::older::SERVICE;
use crate::login::LoginScope;
use crate::program;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    if patient.settings_failure.is_some() {
        return Vec::new();
    }
    // A check of its own says what is wrong with the keychain.
    let logins = found(patient).unwrap_or_default();
    if logins.is_empty() {
        return Vec::new();
    }
    let registries: Vec<&Registry> = logins.iter().map(|login| &login.registry).collect();
    vec![Finding::warning(
        "older-program",
        format!(
            "an older program of the same name left a login for {} in the keychain",
            listed(&registries)
        ),
        format!(
            "{} uses it, and {} removes it",
            command("doctor --take-over"),
            removal()
        ),
    )]
}

fn found(patient: &Patient<'_>) -> Result<Vec<OlderLogin>> {
    // Where a person chose another keychain, nobody is asked.
    let may_ask = !matches!(
        patient.settings.keychain,
        KeychainChoice::Kernel | KeychainChoice::None
    );
    if !may_ask {
        return Ok(Vec::new());
    }
    let registries: Vec<Registry> = patient.settings.all_registries().collect();
    (patient.world.older_logins)(&registries).map_err(|error| Failure::act(error.to_string()))
}

/// How the older program's items are removed by hand.
fn removal() -> String {
    match cfg!(target_os = "linux") {
        true => format!("`secret-tool clear service {SERVICE}`"),
        false => format!("the system's keychain program (look for {SERVICE})"),
    }
}

/// Stores the refresh tokens as logins of ours, and sees whether they work.
///
/// # Errors
/// There are none, or none of them works; nothing is then stored.
pub(super) fn take_over(patient: &Patient<'_>) -> Result<String> {
    let logins = found(patient)?;
    if logins.is_empty() {
        return Err(Failure::act(format!(
            "no login of an older program is in the keychain; `{}` makes one",
            command("login")
        )));
    }
    let world = patient.world;
    let keychains = program::open(world, patient.settings, Prompting::Allowed)?;
    let broker = program::broker(world, patient.settings, &keychains);
    let mut taken: Vec<Registry> = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    for OlderLogin {
        registry,
        refresh_token,
    } in logins
    {
        if broker
            .login(&LoginScope::Registry(registry.clone()))?
            .is_some()
        {
            failures.push(format!("{registry} has a login of its own, which stays"));
            continue;
        }
        let credential = CredentialKind::RefreshToken.with(refresh_token);
        broker.store(&registry, credential)?;
        match broker.get(&registry) {
            Ok(_) => taken.push(registry),
            Err(failure) => {
                broker.erase(&registry)?;
                failures.push(failure.to_string());
            }
        }
    }
    let failures = failures.join("; ");
    match (taken.is_empty(), failures.is_empty()) {
        (true, _) => Err(Failure::act(format!("nothing was taken over: {failures}"))),
        (false, true) => Ok(said(&taken)),
        (false, false) => Ok(format!("{}\nNot taken over: {failures}", said(&taken))),
    }
}

fn said(taken: &[Registry]) -> String {
    format!(
        "The login for {} is ours now. A session ends some day; `{}` makes one that does not.\nThe older program's own items are still there; {} removes them.",
        listed(taken),
        command("login"),
        removal()
    )
}
