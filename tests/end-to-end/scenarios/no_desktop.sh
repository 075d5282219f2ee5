# Servers without a D-Bus session: logins that outlast a reboot, with the real systemd-creds, pass and GnuPG.
# shellcheck shell=bash

show_pass

readonly passphrase=icr-test-passphrase-2Lq9Vd

before_each_test() {
    unset DBUS_SESSION_BUS_ADDRESS
    export GNUPGHOME=$user_dir/gnupg PASSWORD_STORE_DIR=$user_dir/passwords
    export GIT_AUTHOR_NAME=Tester GIT_AUTHOR_EMAIL=tester@example.com
    export GIT_COMMITTER_NAME=Tester GIT_COMMITTER_EMAIL=tester@example.com
}

# After a reboot, the kernel keyrings are empty and no agent runs.
reboot() {
    clear_tokens
    gpgconf --kill all
}

# Creates a store of pass whose key has this passphrase, and is locked; without one, it never is.
new_store() {
    mkdir --mode 700 "$GNUPGHOME"
    echo "pinentry-program $user_dir/pinentry" >"$GNUPGHOME/gpg-agent.conf"
    pinentry_that_must_not_run
    gpg --batch --quiet --pinentry-mode loopback --passphrase "$1" --quick-gen-key tester@example.com default default never
    pass init tester@example.com
}

pinentry_that_must_not_run() {
    printf '#!/bin/sh\necho asked >>%s\n' "$user_dir/asked" >"$user_dir/pinentry"
    chmod 755 "$user_dir/pinentry"
}

# Speaks the protocol of GnuPG's agent (Assuan) and answers each question with the passphrase.
pinentry_that_answers() {
    cat >"$user_dir/pinentry" <<END
#!/bin/sh
echo OK
while read -r command _; do
    case \$command in
    GETPIN) echo asked >>$user_dir/asked && echo 'D $passphrase' ;;
    BYE) echo OK && exit ;;
    esac
    echo OK
done
END
}

nobody_was_asked() {
    [ ! -e "$user_dir/asked" ] || fail 'no pinentry should run'
}

lock_key() {
    gpgconf --kill gpg-agent
}

unlock_key() {
    gpg --batch --quiet --recipient tester@example.com --encrypt </dev/null |
        gpg --batch --quiet --pinentry-mode loopback --passphrase "$passphrase" --decrypt
}

is_stored_in() {
    succeeds docker-credential-icr status us.icr.io --json
    is "$(jq --raw-output '.registries[0].keychain' <<<"$stdout")" "$1"
}

log_in() {
    try_with "$api_key" docker-credential-icr login us.icr.io --api-key-stdin --no-configure
    is "$status" 0
    shows "$1"
}

test_systemd_creds_login_outlasts_a_reboot() {
    log_in 'Saved in an encrypted file (systemd-creds; kept until you log out'
    gets us.icr.io iambearer
    reboot
    exchanging 1 gets us.icr.io iambearer
    exchanging 0 gets us.icr.io iambearer
    is_stored_in systemd-creds
    contains_no_secret "$api_key"
    succeeds docker-credential-icr list
    is "$stdout" '{"us.icr.io":"iamapikey"}'
    succeeds docker-credential-icr logout us.icr.io
    gets_nothing us.icr.io
}

test_systemd_creds_whose_key_would_be_lost_at_a_reboot_is_not_used() {
    SYSTEMD_CREDENTIAL_SECRET=$user_dir/credential.secret
    log_in 'Saved in the Linux kernel keyring'
    try docker-credential-icr doctor
    shows 'host key located on temporary file system'
}

test_systemd_creds_of_root_uses_the_directories_of_the_machine() {
    unset XDG_STATE_HOME SYSTEMD_CREDENTIAL_SECRET
    # The machine may have a key, which root of a user namespace cannot read.
    rm -f /var/lib/systemd/credential.secret
    store us.icr.io iamapikey "$api_key"
    is "$(stat --format '%a %U' /var/lib/docker-credential-icr "/var/lib/docker-credential-icr/keychain/$ICR_NAMESPACE/login/us.icr.io.cred")" \
        $'700 root\n600 root'
    [ -s /var/lib/systemd/credential.secret ] || fail 'the key of the machine should be created'
    reboot
    gets us.icr.io iambearer
    succeeds docker-credential-icr logout --all
    rm /var/lib/systemd/credential.secret
}

test_systemd_creds_backup_on_another_machine_does_not_decrypt() {
    store us.icr.io iamapikey "$api_key"
    reboot
    SYSTEMD_CREDENTIAL_SECRET=/var/lib/systemd/other-machine.secret
    systemd-creds setup
    gets_error us.icr.io 'cannot decrypt it here'
    shows 'log in again'
    succeeds docker-credential-icr logout us.icr.io
    log_in systemd-creds
    gets us.icr.io iambearer
}

test_systemd_creds_file_of_another_login_does_not_decrypt() {
    store us.icr.io iamapikey "$api_key"
    cp "$XDG_STATE_HOME/docker-credential-icr/keychain/$ICR_NAMESPACE/login/"{us,de}.icr.io.cred
    gets_error de.icr.io 'does not match'
    gets us.icr.io iambearer
}

# Lets systemd-creds use an emulated TPM, whose state is in the user's directory, instead of the key of the machine.
with_tpm() {
    command -v swtpm >/dev/null || skip 'swtpm is missing (package swtpm)'
    command -v tpm2 >/dev/null || skip 'tpm2 is missing (package tpm2-tools)'
    mkdir "$user_dir/bin"
    cat >"$user_dir/bin/systemd-creds" <<'END'
#!/bin/sh
case " $* " in *' encrypt '*) set -- --with-key=tpm2 "$@" ;; esac
exec /usr/bin/systemd-creds "$@"
END
    chmod 755 "$user_dir/bin/systemd-creds"
    export PATH=$user_dir/bin:$PATH SYSTEMD_TPM2_DEVICE=swtpm:host=127.0.0.1,port=2321
    start_tpm "$user_dir/tpm"
}

start_tpm() {
    mkdir -p "$1"
    start tpm swtpm socket --tpm2 --tpmstate "dir=$1" --server type=tcp,port=2321,bindaddr=127.0.0.1 \
        --ctrl type=tcp,port=2322,bindaddr=127.0.0.1 --flags not-need-init,startup-clear
    tpm=$!
    wait_for tpm tpm_is_ready
}

tpm_is_ready() {
    grep --quiet ':0911 .* 0A ' /proc/net/tcp
}

stop_tpm() {
    kill "$tpm"
    wait "$tpm" || true
}

test_systemd_creds_with_a_tpm_needs_that_tpm() {
    with_tpm
    store us.icr.io iamapikey "$api_key"
    is_stored_in systemd-creds
    stop_tpm
    reboot
    start_tpm "$user_dir/tpm"
    gets us.icr.io iambearer
    stop_tpm
    reboot
    start_tpm "$user_dir/other-tpm"
    gets_error us.icr.io 'cannot decrypt it here'
    stop_tpm
}

test_systemd_creds_login_with_docker_works() {
    use_helper_in .docker/config.json us.icr.io
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    reboot
    succeeds docker pull us.icr.io/private/hello
    is_stored_in systemd-creds
    succeeds docker logout us.icr.io
    contains_no_secret "$api_key"
}

test_pass_login_outlasts_a_reboot_if_its_key_needs_no_passphrase() {
    new_store ''
    export ICR_KEYCHAIN=pass
    log_in 'Saved in the password store of pass (kept until you log out)'
    reboot
    exchanging 1 gets us.icr.io iambearer
    is_stored_in pass
    succeeds pass show "docker-credential-icr/$ICR_NAMESPACE/login/us.icr.io"
    is "$(jq --raw-output .secret <<<"$stdout")" "$api_key"
    contains_no_secret "$api_key"
    succeeds docker-credential-icr logout us.icr.io
    [ ! -e "$PASSWORD_STORE_DIR/docker-credential-icr" ] || fail 'nothing should remain'
    nobody_was_asked
}

test_pass_commits_logins_to_git_and_no_tokens() {
    new_store ''
    pass git init
    export ICR_KEYCHAIN=pass
    store us.icr.io iamapikey "$api_key"
    gets us.icr.io iambearer
    is "$(pass git status --short)" ''
    is "$(git -C "$PASSWORD_STORE_DIR" ls-files | grep docker-credential)" \
        "docker-credential-icr/$ICR_NAMESPACE/login/us.icr.io.gpg"
    succeeds docker-credential-icr logout us.icr.io
    is "$(git -C "$PASSWORD_STORE_DIR" ls-files | grep docker-credential)" ''
}

test_pass_with_a_locked_key_says_how_to_unlock_it_and_asks_nobody() {
    new_store "$passphrase"
    unlock_key
    export ICR_KEYCHAIN=pass
    store us.icr.io iamapikey "$api_key"
    reboot
    gets_error us.icr.io 'the GnuPG key of pass is locked'
    shows "'pass show docker-credential-icr/$ICR_NAMESPACE/login/us.icr.io > /dev/null'"
    store_fails 'the GnuPG key of pass is locked'
    unlock_key
    gets us.icr.io iambearer
    lock_key
    exchanging 0 gets us.icr.io iambearer
    succeeds docker-credential-icr logout us.icr.io
    nobody_was_asked
}

store_fails() {
    try_with "$(request_to_store de.icr.io iamapikey "$api_key")" docker-credential-icr store
    is "$status" 1
    shows "$1"
    does_not_show "$api_key"
}

test_pass_login_at_a_terminal_may_ask_for_the_passphrase() {
    new_store "$passphrase"
    lock_key
    pinentry_that_answers
    export ICR_KEYCHAIN=pass
    echo "$api_key" >"$user_dir/key"
    succeeds script --quiet --return --command \
        "docker-credential-icr login us.icr.io --api-key @$user_dir/key --no-configure" /dev/null
    shows 'Saved in the password store of pass'
    [ -e "$user_dir/asked" ] || fail 'the passphrase should be asked for'
    rm "$user_dir/key" "$user_dir/asked" "$user_dir/pinentry"
    gets us.icr.io iambearer
}

test_pass_with_an_agent_that_hangs_is_not_waited_for_twice() {
    new_store ''
    export ICR_KEYCHAIN=pass
    store us.icr.io iamapikey "$api_key"
    clear_tokens
    local agent
    agent=$(gpg-connect-agent 'getinfo pid' /bye | sed --quiet 's/^D //p')
    kill -STOP "$agent"
    within_milliseconds 12000 gets_error us.icr.io 'pass did not answer in time'
    shows 'gpgconf --kill gpg-agent'
    within_milliseconds "$no_wait" gets_error us.icr.io 'pass did not answer in time'
    IBMCLOUD_API_KEY=$api_key within_milliseconds "$no_wait" gets us.icr.io iambearer
    kill -KILL "$agent"
}

test_pass_that_is_not_initialised_says_how() {
    ICR_KEYCHAIN=pass store_fails 'pass init KEY'
    ICR_KEYCHAIN=pass gets_nothing us.icr.io
}

test_pass_without_its_secret_key_does_not_decrypt() {
    new_store ''
    export ICR_KEYCHAIN=pass
    store us.icr.io iamapikey "$api_key"
    reboot
    rm -r "$GNUPGHOME/private-keys-v1.d"
    gets_error us.icr.io 'pass cannot decrypt it here'
    shows 'log in again'
}

# Hides systemd-creds, as on a machine that has none.
without_systemd_creds() {
    mkdir "$user_dir/bin"
    ln -s "$(command -v docker-credential-icr)" "$user_dir/bin/"
    local program
    for program in /usr/bin/*; do
        [ "$program" = /usr/bin/systemd-creds ] || ln -s "$program" "$user_dir/bin/" 2>/dev/null || true
    done
    export PATH=$user_dir/bin
}

test_auto_uses_pass_if_it_decrypts_without_asking() {
    new_store "$passphrase"
    unlock_key
    without_systemd_creds
    log_in 'Saved in the password store of pass'
    lock_key
    succeeds docker-credential-icr logout us.icr.io
    log_in 'Saved in the Linux kernel keyring (lost at reboot'
    try docker-credential-icr doctor
    shows 'not used (pass): the GnuPG key of pass is locked'
    shows 'not used (systemd-creds): the program systemd-creds is not on the PATH'
    nobody_was_asked
}

test_auto_uses_the_kernel_keyring_if_the_store_is_read_only() {
    new_store ''
    without_systemd_creds
    mount --bind "$PASSWORD_STORE_DIR" "$PASSWORD_STORE_DIR"
    mount --options remount,bind,ro "$PASSWORD_STORE_DIR"
    ICR_KEYCHAIN=pass store_fails 'Read-only file system'
    log_in 'Saved in the Linux kernel keyring'
    gets us.icr.io iambearer
    umount "$PASSWORD_STORE_DIR"
}

test_move_from_each_keychain_to_each_other() {
    new_store ''
    local from to
    ICR_KEYCHAIN=kernel store us.icr.io iamapikey "$api_key"
    from=kernel
    for to in systemd-creds pass systemd-creds kernel pass kernel; do
        succeeds docker-credential-icr keychain move --to "$to"
        is "$stdout" "Moved the login for us.icr.io from $from to $to"
        is_stored_in "$to"
        clear_tokens_only
        gets us.icr.io iambearer
        from=$to
    done
    ICR_KEYCHAIN=pass gets_nothing us.icr.io
    ICR_KEYCHAIN=systemd-creds gets_nothing us.icr.io
}

# Deletes cached tokens but no logins.
clear_tokens_only() {
    local key keys
    mapfile -t keys < <(grep --fixed-strings ":$ICR_NAMESPACE:token:" /proc/keys | cut --delimiter ' ' --fields 1)
    for key in "${keys[@]}"; do keyctl invalidate "0x$key"; done
}

test_move_that_is_killed_loses_no_login() {
    new_store ''
    ICR_KEYCHAIN=kernel store us.icr.io iamapikey "$api_key"
    mkdir "$user_dir/bin"
    # Kills the program that runs it at the call whose number is in the file.
    cat >"$user_dir/bin/pass" <<END
#!/bin/sh
echo call >>"$user_dir/calls"
[ "\$(wc -l <"$user_dir/calls")" != "\$(cat "$user_dir/kill")" ] || { kill -KILL "\$PPID"; exit 1; }
exec /usr/bin/pass "\$@"
END
    chmod 755 "$user_dir/bin/pass"
    local call
    for call in {1..10}; do
        : >"$user_dir/calls"
        echo "$call" >"$user_dir/kill"
        PATH=$user_dir/bin:$PATH try docker-credential-icr keychain move --to pass
        clear_tokens_only
        gets us.icr.io iambearer
    done
    ICR_KEYCHAIN=kernel gets_nothing us.icr.io
    is_stored_in pass
}

# An ordinary user, for whom systemd-creds of systemd 252 does nothing. Debian assigns this number to no user.
readonly ordinary_user=61001

as_ordinary_user() {
    setpriv --reuid "$ordinary_user" --regid "$ordinary_user" --clear-groups --inh-caps=-all "$@"
}

test_ordinary_user_with_pass_has_a_login_that_outlasts_a_reboot() {
    new_store ''
    gpgconf --kill all
    chown --recursive "$ordinary_user" "$user_dir"
    try_with "$(request_to_store us.icr.io iamapikey "$api_key")" as_ordinary_user docker-credential-icr store
    is "$status$stderr" 0
    # shellcheck disable=SC2016 # expands for the user
    as_ordinary_user sh -c 'keyctl clear "$(keyctl get_persistent @s)"; gpgconf --kill all'
    try_with us.icr.io as_ordinary_user docker-credential-icr get
    is "$status $(jq --raw-output .Username <<<"$stdout")" '0 iambearer'
    try as_ordinary_user docker-credential-icr status us.icr.io --json
    is "$(jq --raw-output '.registries[0].keychain' <<<"$stdout")" pass
}
