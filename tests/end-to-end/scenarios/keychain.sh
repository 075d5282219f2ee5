# Where secrets are stored, and what happens when that keychain is missing, locked, silent, full or forbidden.
# shellcheck shell=bash

no_bus() {
    unset DBUS_SESSION_BUS_ADDRESS
}

# A desktop session with a login for us.icr.io in a keychain that is then locked. There is no display, so no unlock prompt.
locked_keychain() {
    bus_without_provider
    start_gnome_keyring
    store us.icr.io iamapikey "$api_key"
    gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
        --method org.freedesktop.Secret.Service.Lock "['/org/freedesktop/secrets/collection/login']" >/dev/null
    clear_tokens
}

test_secret_service_item_is_found_and_read_by_a_user_and_shows_no_secret() {
    store us.icr.io iamapikey "$api_key"
    succeeds secret-tool search --all registry us.icr.io namespace "$ICR_NAMESPACE"
    shows 'attribute.username = iamapikey'
    local label visible
    label=$(sed --quiet 's/^label = //p' <<<"$stdout")
    [[ $label == *'IBM Cloud'*us.icr.io* ]] || fail 'the label should name IBM Cloud and the registry'
    visible=$(grep --invert-match '^secret = ' <<<"$stdout$stderr")
    [[ $visible != *"$api_key"* ]] || fail 'only the secret should hold the key'
}

# Stores a login as imphil/docker-credential-icr does (with the crate keyring 3).
leave_login_of_older_program() {
    printf %s "$2" | secret-tool store --label=older service docker-credential-icr \
        username "https://$1-refresh" target default application rust-keyring
}

test_secret_service_login_of_the_older_program_is_found_and_taken_over() {
    local refresh_token
    refresh_token=$(new_refresh_token)
    leave_login_of_older_program us.icr.io "$refresh_token"
    docker-credential-icr doctor >"$TEST_ROOT/log/doctor" 2>&1 || true
    grep --quiet 'older program of the same name left logins in the keychain for us.icr.io' "$TEST_ROOT/log/doctor" || fail 'it should be found'
    ! grep --quiet --fixed-strings "$refresh_token" "$TEST_ROOT/log/doctor" || fail 'the token should not be shown'
    succeeds docker-credential-icr doctor --take-over
    shows "Stored the older program's logins for us.icr.io"
    gets us.icr.io iambearer
    succeeds secret-tool lookup service docker-credential-icr username https://us.icr.io-refresh
}

test_secret_service_logins_of_another_namespace_are_not_used() {
    store us.icr.io iamapikey "$api_key"
    ICR_NAMESPACE=elsewhere gets_nothing us.icr.io
    ICR_NAMESPACE=elsewhere succeeds docker-credential-icr list
    is "$stdout" '{}'
}

test_secret_service_only_also_caches_tokens() {
    export ICR_KEYCHAIN=secret-service
    store us.icr.io iamapikey "$api_key"
    exchanging 1 gets us.icr.io iambearer
    exchanging 0 gets us.icr.io iambearer
}

test_secret_service_only_returns_a_cached_token_with_at_most_8_calls() {
    export ICR_KEYCHAIN=secret-service
    store us.icr.io iamapikey "$api_key"
    gets us.icr.io iambearer
    start monitor dbus-monitor --profile "type='method_call'"
    wait_for monitor mark_the_monitor begin
    exchanging 0 gets us.icr.io iambearer
    wait_for monitor mark_the_monitor end
    local helper calls
    helper=$(awk '$8 == "SearchItems" {print $4}' "$TEST_ROOT/log/monitor" | sort --unique)
    calls=$(awk -v helper="$helper" '$1 == "mc" && $4 == helper {print $8}' "$TEST_ROOT/log/monitor")
    if [ -z "$calls" ] || [ "$(wc --lines <<<"$calls")" -gt 8 ]; then fail "should be 1 to 8 calls: $calls"; fi
}

# Makes a call and checks that it appears in the monitor's log.
mark_the_monitor() {
    call_bus "/mark/$1" GetId && grep --quiet "/mark/$1" "$TEST_ROOT/log/monitor"
}

test_locked_keychain_is_named_in_the_error_without_waiting() {
    locked_keychain
    within_milliseconds "$keychain_timeout" gets_error us.icr.io locked
    ICR_KEYCHAIN=secret-service within_milliseconds "$keychain_timeout" gets_error us.icr.io locked
}

test_locked_keychain_does_not_affect_a_key_in_the_environment() {
    locked_keychain
    IBMCLOUD_API_KEY=$api_key within_milliseconds "$keychain_timeout" gets us.icr.io iambearer
}

test_locked_keychain_is_not_listed_as_an_empty_one() {
    locked_keychain
    try docker-credential-icr list
    shows_login_or_reason
}

# A client that calls `list` then calls `get` only for listed registries. So a login that is not listed would be ignored.
shows_login_or_reason() {
    [ "$status" != 0 ] || shows '"us.icr.io"'
    [ "$status" = 0 ] || shows locked
}

test_locked_keychain_does_not_break_a_logout() {
    locked_keychain
    use_helper_in .docker/config.json us.icr.io
    within_milliseconds 10000 succeeds docker logout us.icr.io
}

test_no_bus_a_key_in_the_environment_works() {
    no_bus
    export IBMCLOUD_API_KEY=$api_key
    local keychain
    for keychain in auto secret-service kernel; do
        ICR_KEYCHAIN=$keychain within_milliseconds "$no_wait" gets us.icr.io iambearer
    done
}

test_no_bus_and_no_login_is_not_found() {
    no_bus
    within_milliseconds "$no_wait" gets_nothing us.icr.io
}

test_no_bus_login_with_docker_is_stored_in_the_kernel_keyring() {
    no_bus
    use_helper_in .docker/config.json us.icr.io
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    contains_no_secret "$api_key"
    gets us.icr.io iambearer
    succeeds docker pull us.icr.io/private/hello
    succeeds docker logout us.icr.io
    gets_nothing us.icr.io
}

test_no_bus_but_the_secret_service_required_fails_with_a_message() {
    no_bus
    export ICR_KEYCHAIN=secret-service
    within_milliseconds "$no_wait" store_fails 'D-Bus'
}

store_fails() {
    try_with "$(request_to_store us.icr.io iamapikey "$api_key")" docker-credential-icr store
    is "$status" 1
    is "$stdout" "$stderr"
    shows "$1"
    does_not_show "$api_key"
}

test_bus_without_provider_a_key_in_the_environment_works() {
    bus_without_provider
    export IBMCLOUD_API_KEY=$api_key
    within_milliseconds "$keychain_timeout" gets us.icr.io iambearer
    ICR_KEYCHAIN=secret-service within_milliseconds "$keychain_timeout" gets us.icr.io iambearer
}

test_bus_without_provider_login_is_stored_in_the_kernel_keyring() {
    bus_without_provider
    within_milliseconds "$keychain_timeout" gets_nothing us.icr.io
    store us.icr.io iamapikey "$api_key"
    gets us.icr.io iambearer
}

test_silent_provider_a_key_in_the_environment_works() {
    bus_with_silent_provider
    export IBMCLOUD_API_KEY=$api_key
    within_milliseconds "$keychain_timeout" gets us.icr.io iambearer
    clear_tokens
    ICR_KEYCHAIN=secret-service within_milliseconds "$keychain_timeout" gets us.icr.io iambearer
}

test_silent_provider_and_nothing_else_fails_with_a_message_and_waits_once() {
    bus_with_silent_provider
    within_milliseconds "$keychain_timeout" gets_error us.icr.io 'did not answer'
    within_milliseconds "$no_wait" gets_error us.icr.io 'did not answer'
}

test_silent_provider_delays_a_classic_build_with_all_registries_only_once() {
    bus_with_silent_provider
    use_helper_in .docker/config.json "${registries[@]}"
    printf 'FROM %s\n' "$open_registry/private/hello" >"$TMPDIR/Dockerfile"
    DOCKER_BUILDKIT=0 within_milliseconds 10000 succeeds docker build --pull "$TMPDIR"
}

test_silent_provider_does_not_break_a_logout() {
    bus_with_silent_provider
    use_helper_in .docker/config.json us.icr.io
    within_milliseconds 10000 succeeds docker logout us.icr.io
    use_helper_in "$XDG_RUNTIME_DIR/containers/auth.json" us.icr.io
    within_milliseconds 10000 succeeds podman logout --all
}

test_kernel_keyring_login_is_found_from_another_session() {
    export ICR_KEYCHAIN=kernel
    store us.icr.io iamapikey "$api_key"
    exchanging 1 gets us.icr.io iambearer
    try_with us.icr.io keyctl session - docker-credential-icr get
    is "$status" 0
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
    try_with '' keyctl session - docker-credential-icr list
    is "$stdout" '{"us.icr.io":"iamapikey"}'
}

test_kernel_keyring_shows_no_secret_and_deletes_expired_tokens() {
    export ICR_KEYCHAIN=kernel
    store us.icr.io iamapikey "$api_key"
    gets us.icr.io iambearer
    local token keys
    token=$(secret_in_answer)
    keys=$(grep --fixed-strings "$ICR_NAMESPACE" /proc/keys) || fail 'the keys should name their namespace'
    [[ $keys != *"$api_key"* && $keys != *"$token"* ]] || fail "descriptions should hold no secret: $keys"
    is "$(grep :token: <<<"$keys" | awk '{print ($4 == "perm" ? "stays" : "ends")}' | sort --unique)" ends
    is "$(grep :login: <<<"$keys" | awk '{print ($4 == "perm" ? "stays" : "ends")}' | sort --unique)" stays
}

# An ordinary user without a bus, who has 20,000 bytes of kernel memory for keys. Debian assigns this number to no user.
readonly ordinary_user=61000

as_ordinary_user() {
    setpriv --reuid "$ordinary_user" --regid "$ordinary_user" --clear-groups --inh-caps=-all \
        env --unset=DBUS_SESSION_BUS_ADDRESS HOME="$user_dir/ordinary" XDG_RUNTIME_DIR="$user_dir/ordinary" "$@"
}

test_kernel_keyring_of_an_ordinary_user_works_with_30_identities() {
    [ "$(</proc/sys/kernel/keys/maxbytes)" -lt 40000 ] || skip 'the quota of this machine is larger than 30 tokens'
    export ICR_KEYCHAIN=kernel
    mkdir "$user_dir/ordinary"
    chown "$ordinary_user" "$user_dir/ordinary"
    try_with "$(request_to_store us.icr.io iamapikey "$api_key")" as_ordinary_user docker-credential-icr store
    is "$status" 0
    exchanging 30 thirty_identities_get_a_token
    exchanging 0 identity_gets_a_token "${many_api_keys[29]}"
    try_with us.icr.io as_ordinary_user docker-credential-icr get
    is "$status $(jq --raw-output .Username <<<"$stdout")" '0 iambearer'
}

thirty_identities_get_a_token() {
    local key
    for key in "${many_api_keys[@]}"; do identity_gets_a_token "$key"; done
}

identity_gets_a_token() {
    IBMCLOUD_API_KEY=$1 try_with us.icr.io as_ordinary_user docker-credential-icr get
    is "$status$stderr" 0
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
}

# Runs a program of this machine in a container whose seccomp profile, docker's default, forbids the kernel keyring.
# Its streams are files: docker 20.10 sometimes loses a container's last output.
in_container() {
    local directory status=0 streams=$user_dir/streams volumes=()
    for directory in /usr /lib /lib64 /etc; do [ ! -d "$directory" ] || volumes+=(--volume "$directory:$directory:ro"); done
    for directory in "$TEST_ROOT/bin" "$TEST_ROOT/bus" "$user_dir"; do volumes+=(--volume "$directory:$directory"); done
    mkdir "$streams"
    cat >"$streams/in"
    # shellcheck disable=SC2016 # expands in the container
    within 60 docker run --rm --read-only --network host "${volumes[@]}" \
        --env IBMCLOUD_API_KEY --env DBUS_SESSION_BUS_ADDRESS --env ICR_NAMESPACE \
        --entrypoint /busybox hello sh -c 'cd "$1" && shift && "$@" <in >out 2>err' - "$streams" "$@" || status=$?
    cat "$streams/out"
    cat "$streams/err" >&2
    rm -r "$streams"
    return $status
}

gets_in_container() {
    try_with us.icr.io in_container "$TEST_ROOT/bin/docker-credential-icr" get
    is "$status$stderr" 0
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
}

test_kernel_keyring_forbidden_by_seccomp_a_key_in_a_mounted_file_works() {
    no_bus
    fails in_container /usr/bin/keyctl show @s
    shows 'Operation not permitted'
    echo "$api_key" >"$user_dir/key"
    IBMCLOUD_API_KEY=@$user_dir/key gets_in_container
    rm "$user_dir/key"
}

test_kernel_keyring_forbidden_by_seccomp_tokens_are_stored_in_the_secret_service() {
    store us.icr.io iamapikey "$api_key"
    exchanging 1 gets_in_container
    exchanging 0 gets_in_container
}

test_kernel_keyring_forbidden_by_seccomp_and_no_bus_suggests_a_key_in_the_environment() {
    no_bus
    try_with us.icr.io in_container "$TEST_ROOT/bin/docker-credential-icr" get
    is "$status$stderr" 1
    is "$stdout" 'credentials not found in native keychain'
    try_with "$(request_to_store us.icr.io iamapikey unkept)" in_container "$TEST_ROOT/bin/docker-credential-icr" store
    is "$status$stdout" "1$stderr"
    shows IBMCLOUD_API_KEY
}

test_forty_parallel_clients_make_one_exchange() {
    export IBMCLOUD_API_KEY=$api_key
    exchanging 1 forty_clients
}

test_forty_parallel_clients_rotate_a_refresh_token_once_and_store_the_new_one() {
    store us.icr.io iamrefresh "$(new_refresh_token)"
    exchanging 1 forty_clients
    clear_tokens
    exchanging 1 gets us.icr.io iambearer
}

forty_clients() {
    local number clients=()
    for number in {1..40}; do
        docker-credential-icr get <<<us.icr.io >"$TMPDIR/answer.$number" 2>&1 &
        clients+=($!)
    done
    wait "${clients[@]}"
    try cat "$TMPDIR"/answer.*
    rm "$TMPDIR"/answer.*
    is "$(jq --raw-output .Username <<<"$stdout" | sort | uniq --count | xargs)" '40 iambearer'
}
