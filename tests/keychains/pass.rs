//! The password store of `pass`, with a stand-in for it and for GnuPG.

use super::KEY;
use super::Server;
use super::write_executable;

/// Moves letters instead of encrypting them. With `locked`, it fails as with a key whose passphrase is unknown.
const PASS: &str = r#"#!/bin/sh
store=$PASSWORD_STORE_DIR
verb=$1
while [ "$1" != -- ]; do shift; done
entry=$store/$2.gpg
case $verb in
insert) mkdir -p "${entry%/*}" && exec tr A-Za-z N-ZA-Mn-za-m >"$entry" ;;
mv) exec mv "$entry" "$store/$3.gpg" ;;
rm) exec rm "$entry" ;;
esac
if [ -e HERE/locked ]; then
    printf '[GNUPG:] DECRYPTION_FAILED\ngpg: decryption failed: No secret key\n' >&2
    exit 2
fi
exec tr A-Za-z N-ZA-Mn-za-m <"$entry"
"#;

/// Says why it does not decrypt.
const GPG: &str = "#!/bin/sh\necho '[GNUPG:] ERROR pkdecrypt_failed 67108949' >&2\nexit 2\n";

/// A server with a password store instead of systemd-creds.
fn server_with_pass() -> Option<Server> {
    let mut server = Server::new()?;
    let env = &mut server.env;
    let (bin, here) = (env.path("bin"), env.path("").display().to_string());
    let pass = PASS.replace("HERE", here.trim_end_matches('/'));
    write_executable(pass.as_bytes(), &bin.join("pass"));
    write_executable(GPG.as_bytes(), &bin.join("gpg"));
    env.file("refuses", "");
    env.file("store/.gpg-id", "me@example.com\n");
    let store = env.path("store");
    env.set("PASSWORD_STORE_DIR", store)
        .set("ICR_KEYCHAIN", "pass");
    Some(server)
}

#[test]
fn a_login_whose_key_is_locked_is_listed_and_its_cached_token_is_used() {
    let Some(server) = server_with_pass() else {
        return;
    };
    let env = &server.env;
    env.store("us.icr.io", "iamapikey", KEY).is_silent_success();
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    env.get("us.icr.io").is_credential("iambearer");
    env.file("locked", "");
    env.list().is_list(&[("us.icr.io", "")]);
    env.get("us.icr.io").is_credential("iambearer");
    env.keys().delete_tokens();
    env.get("us.icr.io").is_client_error(&[
        "the GnuPG key of pass is locked",
        "pass show docker-credential-icr/",
    ]);
}

#[test]
fn the_error_of_a_locked_key_says_to_log_in_at_a_terminal() {
    let Some(mut server) = server_with_pass() else {
        return;
    };
    server.env.file("locked", "");
    let outcome = server.env.store("us.icr.io", "iamapikey", KEY);
    outcome.is_client_error(&[
        "the GnuPG key of pass is locked",
        "Log in at a terminal with ICR_KEYCHAIN=pass",
    ]);
    let login = ["login", "us.icr.io", "--api-key-stdin", "--no-configure"];
    let outcome = server.select("auto").run(&login, KEY);
    outcome.has(
        &outcome.stderr,
        &["warning: pass was not used: the GnuPG key of pass is locked. Log in at a terminal"],
    );
}
