# Two users and root on one machine, without a bus: no user can use another user's login, however they entered the other's
# session.
# shellcheck shell=bash

# Debian assigns these numbers to no user.
readonly alice=61011 bob=61012
readonly helper=$TEST_ROOT/bin/docker-credential-icr

# All tests here start as alice, with a new, empty session keyring, as pam_keyinit creates it.
run_test_body() {
    unset DBUS_SESSION_BUS_ADDRESS
    create_users
    as_alice "$@"
}

create_users() {
    local name
    for name in alice bob; do
        sed --in-place "/^$name:/d" /etc/passwd /etc/group
        # The empty password is in this file, so PAM does not look for another one.
        echo "$name:*:${!name}:${!name}::$user_dir/$name:/bin/bash" >>/etc/passwd
        echo "$name:x:${!name}:" >>/etc/group
        mkdir "$user_dir/$name"
        chown "${!name}:${!name}" "$user_dir/$name"
    done
    mkdir "$user_dir/root"
    chown "$alice:$alice" "$user_dir" "$user_dir/tmp" "$user_dir/run"
    chmod 711 "$user_dir"
    echo 'alice ALL=(ALL:ALL) NOPASSWD:SETENV: ALL' >/etc/sudoers.d/icr
    chmod 440 /etc/sudoers.d/icr
}

as_alice() {
    # shellcheck disable=SC2016 # expands in the session
    setpriv --reuid "$alice" --regid "$alice" --clear-groups --inh-caps=-all \
        env HOME="$user_dir/alice" USER=alice \
        keyctl session - bash -euo pipefail -c 'here=$1 user_dir=$2 && shift 2
            . "$here/environment.sh" && . "$here/testing.sh" && . "$here/scenarios/two_users.sh"
            logs=$user_dir/alice/log && mkdir -p "$logs" && cd && "$@"' - "$here" "$user_dir" "$@"
}

# Runs a command as root, as sudo runs it in alice's session; -H as on Debian, where HOME is root's.
as_root() {
    sudo -n HOME="$user_dir/root" ICR_NAMESPACE="$ICR_NAMESPACE" "$@"
}

# Runs a command as bob, as su runs it in alice's session.
as_bob() {
    sudo -n su bob --shell /bin/bash --command "cd; ICR_NAMESPACE=$ICR_NAMESPACE XDG_RUNTIME_DIR= $(printf '%q ' "$@")"
}

# Runs a command as bob, with a session keyring of bob, as after a login with ssh or at the console.
as_bob_elsewhere() {
    as_bob keyctl session - "$@"
}

# The same commands, with a login on stdin.
log_in() {
    try_with "$1" "${@:2}" "$helper" login --api-key-stdin
    is "$status" 0
}

# Asserts that the helper, run as this user, answers with an access token of this account.
answers_with() {
    local account=$1
    shift
    try "$@" "$helper" get us.icr.io
    is "$status" 0
    shows iambearer
    is "$(account_in_answer)" "$account"
}

account_in_answer() {
    local claims
    claims=$(secret_in_answer | cut --delimiter . --fields 2 | tr -- -_ +/)
    while [ $((${#claims} % 4)) != 0 ]; do claims+='='; done
    base64 --decode <<<"$claims" | jq --raw-output .account.bss
}

# Asserts that no command shows a login of this user.
has_no_login() {
    try "$@" "$helper" get us.icr.io
    is "$status" 1
    is "$stdout" 'credentials not found in native keychain'
    succeeds "$@" "$helper" list
    is "$stdout" '{}'
    try "$@" "$helper" status
    does_not_show team-
}

# Asserts that no key that this user can find contains a secret or the user name of a login.
reads_no_key() {
    local secret=$1
    shift
    # shellcheck disable=SC2016 # expands as that user
    try "$@" bash -c '
        keyctl show @s
        for key in $(awk "{print \$1}" /proc/keys) $1; do keyctl print 0x$key; keyctl rdescribe 0x$key; keyctl pipe 0x$key; done' - "$keys" 2>&1
    does_not_show "$secret"
    does_not_show '"username"'
    does_not_show "eyJ"
}

# Prints the numbers of the current user's records in the kernel.
record_numbers() {
    awk -v space=":$ICR_NAMESPACE:" 'index($0, space) {printf "%s ", $1}' /proc/keys
}

test_root_with_sudo_and_the_user_cannot_use_each_others_logins() {
    log_in "$key_of_team_b" as_root
    answers_with team-b as_root
    has_no_login env
    keys=$(as_root cat /proc/keys | awk '{printf "%s ", $1}')
    reads_no_key "$key_of_team_b" env
    log_in "$key_of_team_a" env
    answers_with team-a env
    answers_with team-b as_root
    succeeds as_root "$helper" logout --all
    has_no_login as_root
    answers_with team-a env
    keys=$(record_numbers)
    reads_no_key "$key_of_team_a" as_root
}

test_another_user_with_su_cannot_use_or_read_the_login() {
    log_in "$key_of_team_a" env
    answers_with team-a env
    keys=$(record_numbers)
    [ -n "$keys" ] || fail 'there should be records to look for'
    has_no_login as_bob
    reads_no_key "$key_of_team_a" as_bob
    log_in "$key_of_team_b" as_bob
    answers_with team-b as_bob
    succeeds as_bob "$helper" logout --all
    answers_with team-a env
}

test_sessions_of_a_user_share_the_login_of_this_user_only() {
    log_in "$key_of_team_a" env
    log_in "$key_of_team_b" as_bob_elsewhere
    answers_with team-a keyctl session -
    answers_with team-a setsid --wait
    answers_with team-b as_bob_elsewhere
    answers_with team-b as_bob
    succeeds as_bob_elsewhere "$helper" logout --all
    answers_with team-a setsid --wait
}

test_a_logout_leaves_no_key_behind() {
    log_in "$key_of_team_a" env
    answers_with team-a env
    succeeds keyctl show @s
    shows "docker-credential-icr.v1:$ICR_NAMESPACE:seal"
    succeeds "$helper" logout --all
    succeeds keyctl show @s
    does_not_show "$ICR_NAMESPACE"
    succeeds keyctl show "$(keyctl get_persistent @s)"
    does_not_show "$ICR_NAMESPACE"
}

# After forty minutes a refresh is due: get answers immediately, and another process refreshes the token.
test_a_background_refresh_uses_the_login_of_its_user() {
    local before
    log_in "$key_of_team_a" env
    answers_with team-a env
    before=$(exchanges)
    answers_with team-a faketime -f +40m
    wait_for refresh has_exchanged_since "$before"
    has_no_login as_root
    has_no_login as_bob
    keys=$(record_numbers)
    reads_no_key "$key_of_team_a" as_bob
    answers_with team-a env
}

has_exchanged_since() {
    [ "$(exchanges)" -gt "$1" ]
}

# pam_keyinit leaves a revoked session keyring to processes that outlive their session.
test_a_revoked_session_keyring_causes_no_error() {
    log_in "$key_of_team_a" env
    # shellcheck disable=SC2016 # expands in the session
    try keyctl session - bash -c 'keyctl revoke @s; "$1" get us.icr.io' - "$helper"
    is "$status" 0
    is "$(account_in_answer)" team-a
}

test_a_user_namespace_of_another_user_has_no_login() {
    log_in "$key_of_team_a" env
    answers_with team-a unshare --map-root-user
    answers_with team-a unshare --map-current-user
    keys=$(record_numbers)
    try as_bob unshare --map-root-user "$helper" get us.icr.io
    is "$status" 1
    does_not_show eyJ
    reads_no_key "$key_of_team_a" as_bob unshare --map-root-user
    has_no_login as_bob_elsewhere unshare --map-root-user
}

# A rootless container has the user's id and a session keyring of its own.
test_a_container_of_the_same_user_reads_no_record() {
    log_in "$key_of_team_a" env
    answers_with team-a env
    keys=$(record_numbers)
    try unshare --map-root-user keyctl session - "$helper" get us.icr.io
    is "$status" 1
    reads_no_key "$key_of_team_a" unshare --map-root-user keyctl session -
}

# Another user creates a key that all may write, in place of a record, of the seal, or of both.
test_a_key_that_another_user_created_receives_no_secret() {
    local name
    for name in login:us.icr.io seal; do
        as_bob bash -c "keyctl setperm \$(keyctl add user docker-credential-icr.v1:$ICR_NAMESPACE:$name created @s) 0x3f3f3f3f"
    done
    try_with "$(request_to_store us.icr.io iamapikey "$key_of_team_a")" unshare --map-root-user "$helper" store
    is "$status$stderr" 0
    for name in login:us.icr.io seal; do
        keys=$(awk -v name=":$ICR_NAMESPACE:$name:" 'index($0, name) {printf "%s ", $1}' /proc/keys)
        reads_no_key "$key_of_team_a" as_bob
    done
    answers_with team-a unshare --map-root-user
    answers_with team-a env
}

# With an earlier version, a user could link another user's keyring from the session, and still has it.
test_a_keyring_that_another_user_linked_reveals_no_login() {
    local ring created
    ring=$(keyctl get_persistent @s)
    as_bob keyctl link "$ring" @u
    succeeds "$helper" list
    as_bob_with_its_keys keyctl clear "$ring"
    for created in seal login:@ login:us.icr.io; do
        as_bob_with_its_keys bash -c "keyctl setperm \$(keyctl add user docker-credential-icr.v1:$ICR_NAMESPACE:$created created $ring) 0x3f3f3f3f"
    done
    log_in "$key_of_team_a" keyctl session -
    answers_with team-a keyctl session -
    try as_bob_with_its_keys keyctl list "$ring"
    shows docker-credential-icr
    keys=$(as_bob_with_its_keys cut --delimiter ' ' --fields 1 /proc/keys | xargs)
    reads_no_key "$key_of_team_a" as_bob_with_its_keys
}

# Runs a command in a session of bob that possesses the keys in his user keyring.
as_bob_with_its_keys() {
    # shellcheck disable=SC2016 # expands in the session
    as_bob keyctl session - bash -c 'keyctl link @u @s && "$@"' - "$@" 2>/dev/null
}

# Earlier versions linked root's keyring into the session of the user who called sudo.
test_keyrings_that_an_earlier_version_linked_are_unlinked() {
    # shellcheck disable=SC2016 # expands in root's shell
    as_root bash -c 'ring=$(keyctl get_persistent @s)
        keyctl add user "docker-credential-icr.v1:$ICR_NAMESPACE:login:@" "{\"secret\":\"$1\"}" "$ring"' - "$key_of_team_b" >/dev/null
    try keyctl print "%user:docker-credential-icr.v1:$ICR_NAMESPACE:login:@"
    shows "$key_of_team_b"
    succeeds "$helper" list
    is "$stdout" '{}'
    try keyctl print "%user:docker-credential-icr.v1:$ICR_NAMESPACE:login:@"
    does_not_show "$key_of_team_b"
    try keyctl show @s
    does_not_show _persistent
}

test_a_login_of_an_earlier_version_is_still_found() {
    local login
    login=$(jq --null-input --compact-output --arg key "$key_of_team_a" '{v: 1, username: "iamapikey", secret: $key, id: "x"}')
    # shellcheck disable=SC2016 # expands in one process, whose keyring the persistent one is linked to
    keyctl add user "docker-credential-icr.v1:$ICR_NAMESPACE:login:us.icr.io" "$login" "$(keyctl get_persistent @s)" >/dev/null
    answers_with team-a env
    try keyctl show @s
    does_not_show _persistent
    keys=$(record_numbers)
    reads_no_key "$key_of_team_a" as_bob
}

# sudo -E keeps the address of the caller's bus, which accepts root.
test_the_bus_of_another_user_is_not_used() {
    export XDG_RUNTIME_DIR=$user_dir/run
    start_bus "$XDG_RUNTIME_DIR/bus"
    start_gnome_keyring
    log_in "$key_of_team_a" env
    answers_with team-a env
    succeeds secret-tool search --all registry @ namespace "$ICR_NAMESPACE"
    has_no_login as_root DBUS_SESSION_BUS_ADDRESS="$DBUS_SESSION_BUS_ADDRESS" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR"
    has_no_login as_root XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR"
    try_with "$(request_to_store us.icr.io iamapikey "$key_of_team_b")" as_root XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" "$helper" store
    is "$status" 0
    answers_with team-a env
    answers_with team-b as_root XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR"
    succeeds as_root XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" "$helper" logout --all
    answers_with team-a env
}
