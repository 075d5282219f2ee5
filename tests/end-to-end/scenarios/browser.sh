# A login in a real browser, Debian's Chromium, and answers that must be rejected.
# shellcheck shell=bash

# A user of a desktop whose browser trusts the lab's cloud and is logged in there.
desktop_user() {
    local program
    for program in "${!browser_requirements[@]}"; do
        command -v "$program" >/dev/null || skip "no $program here (package ${browser_requirements[$program]})"
    done
    use_helper_in .docker/config.json us.icr.io
    trust_the_cloud_in_browsers
    make_desktop
    control browser-user 1
    control wrong-state off
}

# Chromium reads further authorities from the user's own NSS database.
trust_the_cloud_in_browsers() {
    local database=sql:$HOME/.pki/nssdb
    mkdir -p "$HOME/.pki/nssdb"
    certutil -d "$database" -N --empty-password
    certutil -d "$database" -A -t C,, -n lab -i "$LAB/tls/authority.pem"
}

# Pages open in a browser without a screen, which saves its last page.
make_desktop() {
    desktop=$user_dir/desktop
    mkdir "$desktop"
    cat >"$desktop/xdg-open" <<END
#!/bin/sh
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --password-store=basic --user-data-dir="$desktop/profile" \
    --dump-dom "\$1" >"$desktop/page.new" 2>"$logs/browser"
# Its history holds every address.
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
    succeeds docker pull us.icr.io/lab/hello
    shows us.icr.io/lab/hello
    holds_no_secret "$(exchanged code)" "$(exchanged code_verifier)"
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
