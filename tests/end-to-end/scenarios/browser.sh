# A login in a real browser, Debian's Chromium, and answers that must be rejected.
# shellcheck shell=bash

# A desktop user whose browser trusts the emulated cloud and is logged in to it.
desktop_user() {
    local program
    for program in "${!browser_requirements[@]}"; do
        command -v "$program" >/dev/null || skip "$program is not installed (package ${browser_requirements[$program]})"
    done
    use_helper_in .docker/config.json us.icr.io
    trust_the_cloud_in_browsers
    create_desktop
    control browser-user 1
    control wrong-state off
}

# Chromium reads additional authorities from the user's NSS database.
trust_the_cloud_in_browsers() {
    local database=sql:$HOME/.pki/nssdb
    mkdir -p "$HOME/.pki/nssdb"
    certutil -d "$database" -N --empty-password
    certutil -d "$database" -A -t C,, -n icr-test -i "$TEST_ROOT/tls/authority.pem"
}

# Creates a program that opens pages in a headless browser and saves the last page.
create_desktop() {
    desktop=$user_dir/desktop
    mkdir "$desktop"
    cat >"$desktop/xdg-open" <<END
#!/bin/sh
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --password-store=basic --user-data-dir="$desktop/profile" \
    --dump-dom "\$1" >"$desktop/page.new" 2>"$logs/browser"
# The browser's history contains all addresses.
rm -rf "$desktop/profile"
mv "$desktop/page.new" "$desktop/page"
END
    chmod +x "$desktop/xdg-open"
    export BROWSER=chromium PATH=$desktop:$PATH
}

# The browser's last page contains this text.
browser_shows() {
    wait_for browser test -e "$desktop/page"
    try cat "$desktop/page"
    shows "$1"
}

# A field of the last exchange of a code.
exchanged() {
    curl --silent --show-error --fail "$emulator/emulator/requests" |
        jq --raw-output --arg name "$1" \
            '[.[].form | map({(.[0]): .[1]}) | add | select(.grant_type == "authorization_code")][-1][$name]'
}

test_login_then_pull() {
    desktop_user
    exchanging 1 succeeds docker-credential-icr login --web us.icr.io
    shows "$emulator/identity/authorize?client_id=bx&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A"
    browser_shows 'You can close this window'
    gets us.icr.io iambearer
    succeeds docker pull us.icr.io/private/hello
    shows us.icr.io/private/hello
    contains_no_secret "$(exchanged code)" "$(exchanged code_verifier)"
}

test_answer_of_another_login_is_not_used() {
    desktop_user
    control wrong-state on
    exchanging 0 fails docker-credential-icr login --web us.icr.io
    shows 'belongs to another login'
    browser_shows 'belongs to another login'
    gets_nothing us.icr.io
    control wrong-state off
}

test_rejected_login_shows_why_in_the_terminal() {
    desktop_user
    control browser-user ''
    exchanging 0 fails docker-credential-icr login --web us.icr.io
    shows 'The person said no.'
    browser_shows 'IBM Cloud rejected the login'
    does_not_show 'The person said no.'
    gets_nothing us.icr.io
}
