//! The steps from a key in config.json to a login in the keychain.

use anyhow::ensure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::Demo;
use crate::cloud::FIRST_REGION;
use crate::program::HELPER;
use crate::screen;
use crate::secret::shortened;

/// The variable with the key if there is no keychain.
pub(crate) const VARIABLE: &str = "IBMCLOUD_API_KEY";

const CLIENT_FILE: &str = ".docker/config.json";

/// Shows what `docker login` stores without a helper.
pub(crate) fn show_readable_key(demo: &Demo) -> anyhow::Result<()> {
    let Demo { key, shell, .. } = demo;
    let login = BASE64_STANDARD.encode(format!("iamapikey:{key}"));
    let config = json!({"auths": {FIRST_REGION: {"auth": login}}});
    shell.write(CLIENT_FILE, &format!("{config:#}\n"))?;
    screen::note("Without a credential helper, 'docker login' writes the key to config.json:")?;
    screen::command("cat", &[CLIENT_FILE], "")?;
    screen::output(&format!("{config:#}").replace(&login, &shortened(&login)))?;
    screen::note("base64 is no encryption: all programs that read the file get the key.")?;
    screen::command("base64", &["-d"], &shortened(&login))?;
    Ok(screen::output(&format!("iamapikey:{}", shortened(key)))?)
}

/// Moves the key to the keychain, or to a variable if there is no keychain.
pub(crate) fn migrate(demo: &mut Demo) -> anyhow::Result<()> {
    let migrate = ["configure", "--migrate"];
    screen::command(HELPER, &migrate, "")?;
    let migrated = demo.shell.run(HELPER, &migrate, "")?;
    migrated.show()?;
    if !migrated.succeeded() {
        use_variable(demo)?;
    }
    demo.shell.show_file(CLIENT_FILE)?;
    ensure_no_file_has(demo, &[])
}

fn use_variable(demo: &mut Demo) -> anyhow::Result<()> {
    let Demo { key, shell, .. } = demo;
    screen::note("No keychain is usable here. So the key is in a variable, as in a CI job:")?;
    let assignments = [
        &*format!("{VARIABLE}={}", shortened(key)),
        "ICR_KEYCHAIN=none",
    ];
    screen::command("export", &assignments, "")?;
    shell.set(VARIABLE, &**key);
    shell.set("ICR_KEYCHAIN", "none");
    demo.has_keychain = false;
    screen::command("echo", &["{}", ">", CLIENT_FILE], "")?;
    shell.write(CLIENT_FILE, "{}\n")?;
    shell.show(HELPER, &["configure", "--registry", FIRST_REGION])?;
    Ok(())
}

/// Stores the login for all regions, instead of the one from config.json. Logging out later would delete the token that both have.
pub(crate) fn log_in(demo: &Demo) -> anyhow::Result<()> {
    let Demo {
        cloud, key, shell, ..
    } = demo;
    if !demo.has_keychain {
        return Ok(screen::note("Skipped: the variable is for all regions.")?);
    }
    screen::note("The login from config.json is for one region. The next one is for all:")?;
    shell.show(HELPER, &["logout", FIRST_REGION])?;
    let before = cloud.exchanges();
    let login = ["login", "--api-key-stdin"];
    screen::command(HELPER, &login, &shortened(key))?;
    shell.run(HELPER, &login, key)?.succeed()?.show()?;
    let requests = cloud.exchanges() - before;
    ensure!(requests == 1, "the login sent {requests} token requests");
    Ok(screen::note("The login sent one token request to IAM.")?)
}

/// Checks that neither the key nor one of these tokens is in a file of the demo.
pub(crate) fn ensure_no_file_has(demo: &Demo, tokens: &[String]) -> anyhow::Result<()> {
    let secrets = [tokens, std::slice::from_ref(&demo.key)].concat();
    let count = demo.shell.search_files(&secrets)?;
    let what = if tokens.is_empty() {
        "the key"
    } else {
        "the key or the token"
    };
    Ok(screen::note(&format!(
        "None of the {count} files of this directory contains {what}."
    ))?)
}
