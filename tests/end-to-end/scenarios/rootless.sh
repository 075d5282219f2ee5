# podman and buildah of an ordinary user. They call the helper in a user namespace in which this user is root; skopeo does not.
# The tests check that a login on one side of the namespace is found on the other.
# shellcheck shell=bash
client=podman
. "$here/containers.sh"

# An ordinary user, and the IDs for this user's namespaces. Debian assigns them to no user.
readonly rootless_user=61001 rootless_ids=62000:1000

# All tests here run as this user, who has just logged in to the machine and called the helper once. There is no bus.
run_test_body() {
    end_processes_of_rootless_user
    create_rootless_user
    as_rootless_user clear_tokens
    as_rootless_user call_helper_and "$@"
}

create_rootless_user() {
    grep --quiet '^rootless:' /etc/passwd || echo "rootless:x:$rootless_user:$rootless_user::/nonexistent:/bin/sh" >>/etc/passwd
    echo "rootless:$rootless_ids" | tee /etc/subuid >/etc/subgid
    chown --recursive "$rootless_user:$rootless_user" "$user_dir"
}

# Processes of earlier tests (podman's for its namespace, a desktop) have session keyrings, which count in the user's quota.
end_processes_of_rootless_user() {
    local processes
    mapfile -t processes < <(find /proc -maxdepth 1 -name '[0-9]*' -user "$rootless_user" -printf '%f\n' 2>/dev/null)
    [ ${#processes[@]} = 0 ] || kill -KILL "${processes[@]}" 2>/dev/null || true
}

# Runs a function of these scripts as this user, with a new, empty session keyring, as pam_keyinit creates it.
as_rootless_user() {
    # shellcheck disable=SC2016 # expands in the session
    setpriv --reuid "$rootless_user" --regid "$rootless_user" --clear-groups --inh-caps=-all \
        env --unset=DBUS_SESSION_BUS_ADDRESS USER=rootless \
        keyctl session - bash -euo pipefail -c 'here=$1 user_dir=$2 && shift 2
            . "$here/environment.sh" && . "$here/testing.sh" && . "$here/scenarios/rootless.sh"
            logs=$user_dir/log && mkdir -p "$logs" && "$@"' - "$here" "$user_dir" "$@"
}

# Calls the helper outside of the namespace first: it links the user's keyring into the session, so that it is found inside.
call_helper_and() {
    docker-credential-icr list >/dev/null
    "$@"
}

# Starts a new session of the same user.
log_in_to_the_machine_again() {
    keyctl new_session >/dev/null
}

# The user's own file instead of the system's.
configure_registries() {
    registries_configuration "$1" >"$HOME/.config/containers/registries.conf"
}

pull() {
    within 60 podman pull "$1"
}

push() {
    podman tag us.icr.io/private/hello "$1" && within 60 podman push "$1"
}

# Runs an assertion about the helper in the namespace in which podman calls it.
inside() (
    # shellcheck disable=SC2317 # reached through the expectation
    docker-credential-icr() {
        within 60 podman --log-level error unshare docker-credential-icr "$@"
    }
    "$@"
)

# The same in a namespace that podman did not create, because podman waits forever for a silent bus.
inside_without_podman() (
    # shellcheck disable=SC2317 # reached through the expectation
    docker-credential-icr() {
        within 60 unshare --map-root-user docker-credential-icr "$@"
    }
    "$@"
)

# The desktop of that user: a bus, and an unlocked keychain.
desktop() {
    start_bus "$XDG_RUNTIME_DIR/bus"
    start_gnome_keyring
}

# A bus that accepts every connection and never answers.
bus_that_is_silent() {
    bus_without_provider
    kill -STOP $!
}

all_clients_work() {
    succeeds pull us.icr.io/private/hello
    succeeds push us.icr.io/private/pushed-by-rootless
    succeeds buildah pull --policy always us.icr.io/private/pushed-by-rootless
    succeeds buildah from --pull-always us.icr.io/private/hello
    succeeds buildah commit --rm "$stdout" docker://us.icr.io/private/committed-by-rootless
    succeeds skopeo inspect docker://us.icr.io/private/committed-by-rootless
}

no_client_works() {
    fails pull us.icr.io/private/hello
    shows 'denied'
    does_not_show 'error getting credentials'
    fails buildah pull --policy always us.icr.io/private/hello
    shows 'denied'
    fails skopeo inspect docker://us.icr.io/private/hello
    shows 'denied'
}

# Logs in with one client and out with another.
log_in_and_out_with() {
    containers_user us.icr.io
    client=$1 log_in_as iamapikey "$api_key" us.icr.io
    exchanging 1 all_clients_work
    gets us.icr.io iambearer
    inside gets us.icr.io iambearer
    contains_no_secret "$api_key"
    leaves_no_relay
    succeeds "$2" logout us.icr.io
    gets_nothing us.icr.io
    inside gets_nothing us.icr.io
    no_client_works
}

leaves_no_relay() {
    try find "$XDG_RUNTIME_DIR" -name '*relay*'
    is "$stdout" ''
}

test_run_of_a_private_image() {
    logged_in_containers_user
    try podman run --rm --pull always --network none us.icr.io/private/hello sh -c 'exit 42'
    is "$status" 42
}

test_clients_call_the_helper_where_the_user_looks_like_root_and_skopeo_does_not() {
    succeeds podman unshare id --user
    is "$stdout" 0
    succeeds buildah unshare id --user
    is "$stdout" 0
    is "$(id --user)" "$rootless_user"
}

test_kernel_keyring_login_with_podman_works_for_all_clients() {
    log_in_and_out_with podman podman
}

test_kernel_keyring_selected_login_with_buildah_works_for_all_clients() {
    export ICR_KEYCHAIN=kernel
    log_in_and_out_with buildah podman
}

test_kernel_keyring_login_with_skopeo_outside_works_for_all_clients() {
    log_in_and_out_with skopeo buildah
}

test_kernel_keyring_login_with_podman_ends_with_a_logout_outside() {
    log_in_and_out_with podman skopeo
}

test_kernel_keyring_login_at_the_start_of_a_session_works_for_all_clients() {
    log_in_to_the_machine_again
    log_in_and_out_with podman podman
}

test_kernel_keyring_login_at_the_start_of_a_session_works_for_podman_and_buildah() {
    log_in_to_the_machine_again
    logged_in_containers_user
    succeeds pull us.icr.io/private/hello
    succeeds buildah pull --policy always us.icr.io/private/hello
    contains_no_secret "$api_key"
    succeeds podman logout us.icr.io
    inside gets_nothing us.icr.io
}

test_kernel_keyring_login_stored_outside_is_found_inside() {
    log_in_to_the_machine_again
    containers_user us.icr.io
    store us.icr.io iamapikey "$api_key"
    exchanging 1 all_clients_work
}

test_kernel_keyring_login_of_an_earlier_session_is_found_after_the_helper_was_called_outside() {
    logged_in_containers_user
    log_in_to_the_machine_again
    no_client_inside_works
    call_helper_and exchanging 1 all_clients_work
}

no_client_inside_works() {
    fails pull us.icr.io/private/hello
    shows 'denied'
    does_not_show 'error getting credentials'
}

test_secret_service_login_with_podman_works_for_all_clients() {
    desktop
    log_in_and_out_with podman podman
}

test_secret_service_login_with_skopeo_outside_works_for_all_clients() {
    desktop
    log_in_and_out_with skopeo buildah
}

test_secret_service_only_works_for_all_clients() {
    desktop
    export ICR_KEYCHAIN=secret-service
    log_in_and_out_with buildah podman
}

test_secret_service_on_a_bus_at_its_default_path_works_for_all_clients() {
    desktop
    unset DBUS_SESSION_BUS_ADDRESS
    log_in_and_out_with podman podman
}

test_secret_service_login_is_found_in_another_session() {
    desktop
    logged_in_containers_user
    succeeds secret-tool search --all registry us.icr.io namespace "$ICR_NAMESPACE"
    shows 'attribute.username = iamapikey'
    log_in_to_the_machine_again
    all_clients_work
}

test_silent_provider_a_key_in_the_environment_works() {
    bus_with_silent_provider
    export IBMCLOUD_API_KEY=$api_key
    answers_in_time inside
}

test_silent_bus_a_key_in_the_environment_works() {
    bus_that_is_silent
    export IBMCLOUD_API_KEY=$api_key
    answers_in_time inside_without_podman
}

answers_in_time() {
    within_milliseconds "$keychain_timeout" "$1" gets us.icr.io iambearer
    clear_tokens
    ICR_KEYCHAIN=secret-service within_milliseconds "$keychain_timeout" "$1" gets us.icr.io iambearer
    leaves_no_relay
}

test_silent_provider_and_nothing_else_fails_with_a_message() {
    bus_with_silent_provider
    within_milliseconds "$keychain_timeout" inside gets_error us.icr.io 'did not answer'
    leaves_no_relay
}

test_bus_without_provider_login_is_stored_in_the_kernel_keyring() {
    bus_without_provider
    log_in_and_out_with podman podman
}

test_key_in_the_environment_only_works_for_all_clients() {
    log_in_to_the_machine_again
    containers_user us.icr.io
    export IBMCLOUD_API_KEY=$api_key
    all_clients_work
    contains_no_secret "$api_key"
    leaves_no_relay
}
