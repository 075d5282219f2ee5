# Tests for podman, buildah and skopeo, which share the code for helpers and registries.
# A scenario sets $client and defines `pull IMAGE` and `push IMAGE`. Both are called through `succeeds` or `fails`.
# shellcheck shell=bash

# The only file that `login` writes to. `login` does not use a helper in another file (see below).
readonly written_file=run/containers/auth.json

# A user who has added the helper for these registries.
containers_user() {
    use_helper_in "$user_dir/$written_file" "$@"
}

# A user who has also logged in to us.icr.io with an API key.
logged_in_containers_user() {
    containers_user us.icr.io
    log_in_as iamapikey "$api_key" us.icr.io
}

log_in_as() {
    try_with "$2" "$client" login --username "$1" --password-stdin "$3"
    [ "$status" = 0 ] || fail 'login should succeed'
    shows 'Login Succeeded'
}

# Writes a login without a helper. A test that calls this removes the file again.
unencrypted_login_in() {
    jq --null-input --arg auth "$(printf 'iamapikey:%s' "$api_key" | base64 --wrap 0)" \
        '{auths: {"us.icr.io": {auth: $auth}}}' >"$1"
}

test_login_keeps_the_key_in_the_keychain_and_out_of_every_file() {
    logged_in_containers_user
    contains_no_secret "$api_key"
    gets us.icr.io iambearer
}

test_login_calls_get_and_then_store() {
    containers_user us.icr.io
    record_calls
    log_in_as iamapikey "$api_key" us.icr.io
    is "$(<"$calls")" $'get us.icr.io\nstore us.icr.io iamapikey'
}

test_login_and_pull_with_a_port() {
    containers_user us.icr.io:443
    log_in_as iamapikey "$api_key" us.icr.io:443
    record_calls
    succeeds pull us.icr.io:443/private/hello
    is "$(sort --unique "$calls")" 'get us.icr.io:443'
    contains_no_secret "$api_key"
}

test_login_with_a_wrong_key_fails_and_stores_nothing() {
    containers_user us.icr.io
    fails "$client" login --username iamapikey --password "$wrong_api_key" us.icr.io
    gets_nothing us.icr.io
}

test_login_again_finds_the_credentials_valid() {
    logged_in_containers_user
    record_calls
    succeeds "$client" login us.icr.io
    shows 'Existing credentials are valid'
    is "$(<"$calls")" 'get us.icr.io'
}

test_login_with_a_failing_key_shows_why() {
    containers_user us.icr.io
    export IBMCLOUD_API_KEY=$wrong_api_key
    fails "$client" login --username iamapikey --password "$api_key" us.icr.io
    shows 'BXNIM0415E'
}

test_login_replaces_one_that_iam_rejects() {
    containers_user us.icr.io
    store us.icr.io iamapikey "$wrong_api_key"
    fails pull us.icr.io/private/hello
    shows 'BXNIM0415E'
    fails "$client" login --get-login us.icr.io
    shows 'BXNIM0415E'
    log_in_as iamapikey "$api_key" us.icr.io
    succeeds pull us.icr.io/private/hello
}

test_get_login_shows_the_user_name_of_the_token() {
    logged_in_containers_user
    succeeds "$client" login --get-login us.icr.io
    is "$stdout" iambearer
}

test_each_kind_of_login_can_pull() {
    local image name secret registry
    containers_user us.icr.io de.icr.io uk.icr.io au.icr.io cp.icr.io
    while read -r name secret image; do
        registry=${image%%/*}
        log_in_as "$name" "$secret" "$registry"
        succeeds pull "$image"
        contains_no_secret "$secret"
    done <<END
iamapikey $api_key us.icr.io/private/hello
iamrefresh $(new_refresh_token) de.icr.io/private/hello
$profile $service_id_api_key uk.icr.io/private/hello
token $registry_token au.icr.io/private/hello
cp $entitlement_key cp.icr.io/cp/hello
END
}

test_login_then_pull_and_push() {
    logged_in_containers_user
    succeeds pull us.icr.io/private/hello
    succeeds push "us.icr.io/private/pushed-by-$client"
    succeeds pull "us.icr.io/private/pushed-by-$client"
    contains_no_secret "$api_key"
}

test_key_in_the_environment_works_for_all_registries() {
    containers_user us.icr.io de.icr.io private.jp2.icr.io
    export IBMCLOUD_API_KEY=$api_key
    exchanging 1 pull_from us.icr.io de.icr.io private.jp2.icr.io
}

pull_from() {
    local registry
    for registry in "$@"; do succeeds pull "$registry/private/hello"; done
}

test_pull_of_a_namespaced_image_reaches_the_helper_as_host() {
    logged_in_containers_user
    record_calls
    succeeds pull us.icr.io/private/hello
    is "$(sort --unique "$calls")" 'get us.icr.io'
}

test_pull_of_a_public_image_without_a_login() {
    containers_user icr.io
    exchanging 0 succeeds pull icr.io/public/hello
}

test_pull_of_a_private_image_without_a_login_is_rejected_by_the_registry() {
    containers_user us.icr.io
    fails pull us.icr.io/private/hello
    shows 'denied'
    does_not_show 'docker-credential'
    does_not_show 'error getting credentials'
}

test_pull_with_a_failing_key_shows_why_and_asks_iam_once() {
    containers_user us.icr.io
    export IBMCLOUD_API_KEY=$wrong_api_key
    exchanging 1 fails pull us.icr.io/private/hello
    shows_both_streams_of_the_helper BXNIM0415E
    shows 'IBMCLOUD_API_KEY'
    does_not_show "$wrong_api_key"
}

test_pull_with_a_failing_key_does_not_use_the_next_file() {
    containers_user us.icr.io
    unencrypted_login_in .docker/config.json
    IBMCLOUD_API_KEY=$wrong_api_key fails pull us.icr.io/private/hello
    shows 'BXNIM0415E'
    rm .docker/config.json
}

test_logout_erases_once_and_deletes_the_login() {
    logged_in_containers_user
    record_calls
    succeeds "$client" logout us.icr.io
    is "$(grep --count '^erase us.icr.io$' "$calls")" 1
    gets_nothing us.icr.io
}

test_logout_all_without_a_login_does_not_crash() {
    containers_user "${registries[@]}"
    record_calls
    succeeds "$client" logout --all
    does_not_show 'goroutine'
    is "$(grep --count '^erase ' "$calls") erased" "${#registries[@]} erased"
}

test_logout_all_deletes_the_login_and_known_client_behaviour_the_helper_too() {
    logged_in_containers_user
    succeeds "$client" logout --all
    gets_nothing us.icr.io
    is "$(jq --raw-output '.credHelpers // {} | length' "$user_dir/$written_file")" 0
}

test_known_client_behaviour_login_writes_the_key_unencrypted_if_the_helper_is_in_another_file() {
    use_helper_in .docker/config.json us.icr.io
    log_in_as iamapikey "$api_key" us.icr.io
    is "$(jq --raw-output '.auths["us.icr.io"].auth | @base64d' "$user_dir/$written_file")" "iamapikey:$api_key"
    record_calls
    succeeds pull us.icr.io/private/hello
    is "$(<"$calls")" ''
    rm "$user_dir/$written_file"
}

test_known_client_behaviour_logout_ignores_a_helper_in_another_file() {
    use_helper_in .config/containers/auth.json us.icr.io
    store us.icr.io iamapikey "$api_key"
    record_calls
    try "$client" logout us.icr.io
    shows 'ot logged into us.icr.io'
    is "$(sort --unique "$calls")" 'get us.icr.io'
    gets us.icr.io iambearer
}

test_known_client_behaviour_credential_store_is_ignored() {
    echo '{"credsStore": "icr"}' >.docker/config.json
    export IBMCLOUD_API_KEY=$api_key
    record_calls
    fails pull us.icr.io/private/hello
    is "$(<"$calls")" ''
}

test_pulls_use_a_helper_in_any_file_that_is_read() {
    local file
    export IBMCLOUD_API_KEY=$api_key
    for file in "$user_dir/$written_file" .config/containers/auth.json .docker/config.json; do
        use_helper_in "$file" us.icr.io
        succeeds pull us.icr.io/private/hello
        rm "$file"
    done
    use_helper_in "$user_dir/elsewhere.json" us.icr.io
    REGISTRY_AUTH_FILE=$user_dir/elsewhere.json succeeds pull us.icr.io/private/hello
    use_helper_in "$user_dir/docker/config.json" us.icr.io
    DOCKER_CONFIG=$user_dir/docker succeeds pull us.icr.io/private/hello
}

# The system deletes the runtime directory at the end of a session.
test_pulls_use_the_helper_of_configure_after_the_end_of_a_session() {
    succeeds docker-credential-icr configure podman --registry us.icr.io
    export IBMCLOUD_API_KEY=$api_key
    rm --recursive "$XDG_RUNTIME_DIR/containers"
    record_calls
    succeeds pull us.icr.io/private/hello
    is "$(sort --unique "$calls")" 'get us.icr.io'
}

test_without_a_login_the_next_file_is_used() {
    containers_user us.icr.io
    unencrypted_login_in .docker/config.json
    succeeds pull us.icr.io/private/hello
    rm .docker/config.json
}

test_helper_for_all_registries_does_not_affect_other_registries() {
    configure_registries 'credential-helpers = ["icr"]'
    export IBMCLOUD_API_KEY=$api_key
    record_calls
    exchanging 0 succeeds pull "$open_registry/private/hello"
    is "$(sort --unique "$calls")" "get $open_registry"
    succeeds pull us.icr.io/private/hello
}

test_helper_for_all_registries_logs_in_and_out() {
    configure_registries 'credential-helpers = ["icr"]'
    log_in_as iamapikey "$api_key" us.icr.io
    succeeds pull us.icr.io/private/hello
    contains_no_secret "$api_key"
    record_calls
    succeeds "$client" logout --all
    is "$(<"$calls")" $'list unused\nerase us.icr.io'
    gets_nothing us.icr.io
}
