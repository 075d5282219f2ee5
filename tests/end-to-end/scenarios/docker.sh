# The docker CLI and engine.
# shellcheck shell=bash
. "$here/users.sh"
key_to_revoke=${revocable_api_keys[0]}

# A user who has added the helper for these registries.
docker_user() {
    use_helper_in "$config" "$@"
}

# A user who has also logged in to us.icr.io with an API key.
logged_in_docker_user() {
    docker_user us.icr.io
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
}

pulls() {
    succeeds docker pull "$1"
    shows "$1"
}

# Returns whether docker has at least this version. The tests know the behavior of docker 20.10, 28.2 and later.
docker_is_at_least() {
    printf '%s\n' "$1" "$(docker version --format '{{.Client.Version}}')" | sort --version-sort --check=quiet
}

test_login_keeps_the_key_in_the_keychain_and_out_of_every_file() {
    logged_in_docker_user
    shows 'Login Succeeded'
    contains_no_secret "$api_key"
    is "$(jq --compact-output .auths "$config")" '{"us.icr.io":{}}'
    gets us.icr.io iambearer
}

test_login_then_pull_run_and_push_a_private_image() {
    logged_in_docker_user
    pulls us.icr.io/private/hello
    try docker run --rm --pull always --network none us.icr.io/private/hello sh -c 'exit 42'
    is "$status" 42
    docker tag us.icr.io/private/hello us.icr.io/private/pushed
    succeeds docker push us.icr.io/private/pushed
    pulls us.icr.io/private/pushed
    contains_no_secret "$api_key"
}

test_login_calls_only_store() {
    docker_user us.icr.io
    record_calls
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    is "$(<"$calls")" 'store us.icr.io iamapikey'
}

test_login_with_a_path_or_scheme_reaches_the_helper_as_host() {
    docker_is_at_least 28 || skip 'older versions of docker use the address unchanged, and so do not call the helper'
    docker_user us.icr.io
    local address
    for address in us.icr.io/private https://us.icr.io/v2/; do
        record_calls
        succeeds docker login --username iamapikey --password "$api_key" "$address"
        is "$(<"$calls")" 'store us.icr.io iamapikey'
        gets us.icr.io iambearer
    done
}

test_login_and_pull_with_a_port() {
    docker_user us.icr.io:443
    record_calls
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io:443
    pulls us.icr.io:443/private/hello
    is "$(<"$calls")" $'store us.icr.io:443 iamapikey\nget us.icr.io:443'
    contains_no_secret "$api_key"
}

test_login_with_a_wrong_key_fails_and_stores_nothing() {
    docker_user us.icr.io
    record_calls
    fails docker login --username iamapikey --password "$wrong_api_key" us.icr.io
    is "$(<"$calls")" ''
    gets_nothing us.icr.io
}

test_login_without_arguments_uses_the_stored_key_and_leaves_it_in_place() {
    logged_in_docker_user
    record_calls
    succeeds docker login us.icr.io
    shows 'Login Succeeded'
    is "$(<"$calls")" $'get us.icr.io\nstore us.icr.io iambearer'
    is "$(docker-credential-icr list)" '{"us.icr.io":"iamapikey"}'
    gets us.icr.io iambearer
}

test_login_without_arguments_leaves_the_key_in_place_although_the_registry_rejects_the_token() {
    logged_in_docker_user
    next_token_is_invalid
    record_calls
    fails docker login us.icr.io
    ! docker_is_at_least 28 || is "$(head -n 2 "$calls")" $'get us.icr.io\nstore us.icr.io iambearer'
    is "$(docker-credential-icr list)" '{"us.icr.io":"iamapikey"}'
    clear_tokens
    pulls us.icr.io/private/hello
}

test_login_without_arguments_and_without_a_login_prompts_for_one() {
    docker_user us.icr.io
    fails docker login us.icr.io
    shows 'TTY'
}

test_login_with_another_key_takes_effect_immediately() {
    logged_in_docker_user
    gets us.icr.io iambearer
    local first=$stdout
    succeeds docker login --username iamapikey --password "${many_api_keys[0]}" us.icr.io
    exchanging 1 gets us.icr.io iambearer
    [ "$stdout" != "$first" ] || fail 'should be a token of the other key'
    contains_no_secret "${many_api_keys[0]}"
}

test_login_at_one_registry_is_not_used_for_another() {
    logged_in_docker_user
    gets us.icr.io iambearer
    gets_nothing de.icr.io
}

test_login_as_refresh_token_then_pull() {
    docker_user de.icr.io
    local refresh_token
    refresh_token=$(new_refresh_token)
    succeeds docker login --username iamrefresh --password "$refresh_token" de.icr.io
    pulls de.icr.io/private/hello
    gets de.icr.io iambearer
    contains_no_secret "$refresh_token"
}

test_login_as_trusted_profile_then_pull() {
    docker_user uk.icr.io
    succeeds docker login --username "$profile" --password "$service_id_api_key" uk.icr.io
    pulls uk.icr.io/private/hello
    gets uk.icr.io iambearer
    contains_no_secret "$service_id_api_key"
}

test_login_with_an_access_token_then_pull() {
    docker_user us.icr.io private.us.icr.io
    IBMCLOUD_API_KEY=$api_key gets us.icr.io iambearer
    local token
    token=$(secret_in_answer)
    succeeds docker login --username iambearer --password "$token" private.us.icr.io
    pulls private.us.icr.io/private/hello
    gets private.us.icr.io iambearer
    contains_no_secret "$token"
}

test_login_with_a_registry_token_then_pull() {
    docker_user us.icr.io
    succeeds docker login --username token --password "$registry_token" us.icr.io
    pulls us.icr.io/private/hello
    gets us.icr.io token
    is "$(secret_in_answer)" "$registry_token"
    contains_no_secret "$registry_token"
}

test_login_with_an_entitlement_key_then_pull() {
    docker_user cp.icr.io
    succeeds docker login --username cp --password "$entitlement_key" cp.icr.io
    pulls cp.icr.io/cp/hello
    gets cp.icr.io cp
    contains_no_secret "$entitlement_key"
}

test_login_at_another_registry_fails_with_a_message() {
    docker_user "$open_registry"
    fails docker login --username me --password secret "$open_registry"
    shows 'Error saving credentials'
    shows "$open_registry"
    does_not_show 'credentials not found'
}

test_logout_erases_twice_and_deletes_the_login() {
    logged_in_docker_user
    record_calls
    succeeds docker logout us.icr.io
    is "$(<"$calls")" $'erase us.icr.io\nerase us.icr.io'
    gets_nothing us.icr.io
    is "$(jq --raw-output '.credHelpers["us.icr.io"]' "$config")" icr
}

test_logout_without_a_login_succeeds_quietly() {
    docker_user us.icr.io
    succeeds docker logout us.icr.io
    does_not_show WARNING
}

test_key_in_the_environment_works_for_all_registries() {
    docker_user us.icr.io de.icr.io private.jp2.icr.io
    export IBMCLOUD_API_KEY=$api_key
    exchanging 1 pull_from us.icr.io de.icr.io private.jp2.icr.io
}

test_certificate_file_adds_to_the_authorities_of_the_system() {
    local another
    another=$(find /usr/share/ca-certificates -name '*.crt' -print -quit)
    [ -n "$another" ] || skip "the system has no certificate authority (package ca-certificates)"
    export IBMCLOUD_API_KEY=$api_key
    exchanging 1 succeeds env SSL_CERT_FILE="$another" docker-credential-icr get us.icr.io
}

pull_from() {
    local registry
    for registry in "$@"; do pulls "$registry/private/hello"; done
}

test_pull_and_push_call_the_helper_once_each() {
    logged_in_docker_user
    record_calls
    pulls us.icr.io/private/hello
    is "$(<"$calls")" 'get us.icr.io'
    docker tag us.icr.io/private/hello us.icr.io/private/pushed-once
    record_calls
    succeeds docker push us.icr.io/private/pushed-once
    is "$(<"$calls")" 'get us.icr.io'
}

test_pull_of_a_public_image_without_a_login() {
    docker_user icr.io
    record_calls
    pulls icr.io/public/hello
    is "$(<"$calls")" 'get icr.io'
    is "$stderr" ''
}

test_pull_of_a_private_image_without_a_login_is_unauthorized_without_a_message_of_the_helper() {
    docker_user us.icr.io
    fails docker pull us.icr.io/private/hello
    shows 'denied'
    does_not_show 'docker-credential'
    does_not_show 'IAM'
    gets_nothing us.icr.io
}

test_pull_with_a_failing_key_shows_why() {
    docker_user us.icr.io
    export IBMCLOUD_API_KEY=$wrong_api_key
    fails docker pull us.icr.io/private/hello
    shows 'BXNIM0415E'
    shows 'IBMCLOUD_API_KEY'
    gets_error us.icr.io 'Provided API key could not be found'
    does_not_show "$wrong_api_key"
}

test_run_with_a_failing_key_shows_why() {
    docker_user us.icr.io
    export IBMCLOUD_API_KEY=$wrong_api_key
    fails docker run --rm --pull always --network none us.icr.io/private/hello true
    shows 'BXNIM0415E'
    ! docker_is_at_least 28 || shows_both_streams_of_the_helper BXNIM0415E
}

test_pull_while_iam_is_down_ends_in_time_and_shows_why() {
    logged_in_docker_user
    control fault '{"always": {"status": 503}}'
    fails docker pull us.icr.io/private/hello
    shows 503
}

test_create_with_a_failing_key_shows_why() {
    docker_user us.icr.io
    export IBMCLOUD_API_KEY=$wrong_api_key
    fails docker create --pull always us.icr.io/private/hello true
    shows 'BXNIM0415E'
}

test_push_without_a_login_is_rejected_by_the_registry() {
    docker_user us.icr.io
    docker tag hello us.icr.io/private/refused
    fails docker push us.icr.io/private/refused
    does_not_show 'docker-credential'
}

# Builds from a private image with the classic builder, which calls all configured helpers.
classic_build() {
    printf 'FROM %s\nLABEL built=yes\n' "$1" >"$TMPDIR/Dockerfile"
    DOCKER_BUILDKIT=0 try docker build --pull --tag built "$TMPDIR"
}

test_classic_build_with_all_registries_requests_one_token() {
    docker_user "${registries[@]}"
    export IBMCLOUD_API_KEY=$api_key
    record_calls
    exchanging 1 classic_build us.icr.io/private/hello
    is "$status" 0
    shows 'Successfully built'
    is "$(sort --unique "$calls" | wc --lines) registries asked" "${#registries[@]} registries asked"
}

test_classic_build_with_all_registries_and_no_login_shows_no_message() {
    docker_user "${registries[@]}"
    exchanging 0 classic_build icr.io/public/hello
    is "$status" 0
    does_not_show 'Failed to get credentials'
}

test_classic_build_with_a_failing_key_shows_why_and_asks_iam_once() {
    docker_user "${registries[@]}"
    export IBMCLOUD_API_KEY=$wrong_api_key
    exchanging 1 classic_build "$open_registry/private/hello"
    shows 'BXNIM0415E'
}

# The first docker on the PATH that can build with BuildKit. Debian's older one includes it, newer ones need a plug-in.
docker_with_buildkit() {
    local docker
    while read -r docker; do
        if DOCKER_BUILDKIT=1 "$docker" build - <<<'FROM scratch' >/dev/null 2>&1; then
            echo "$docker"
            return
        fi
    done < <(type -ap docker)
}

test_buildkit_build_from_a_private_image() {
    local docker
    docker=$(docker_with_buildkit)
    [ -n "$docker" ] || skip 'no installed docker can build with BuildKit (package docker-buildx)'
    logged_in_docker_user
    printf 'FROM us.icr.io/private/hello\nLABEL built=with-buildkit\n' >"$TMPDIR/Dockerfile"
    record_calls
    DOCKER_BUILDKIT=1 succeeds "$docker" build --pull "$TMPDIR"
    is "$(sort --unique "$calls")" 'get us.icr.io'
    contains_no_secret "$api_key"
}

test_credential_store_logs_in_pulls_and_logs_out() {
    credential_store_user
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    pulls us.icr.io/private/hello
    contains_no_secret "$api_key"
    record_calls
    succeeds docker logout us.icr.io
    is "$(sort --unique "$calls" | xargs)" 'erase http://us.icr.io erase https://us.icr.io erase us.icr.io'
    gets_nothing us.icr.io
}

test_credential_store_does_not_affect_docker_hub() {
    credential_store_user
    record_calls
    pulls hello
    is "$(<"$calls")" 'get https://index.docker.io/v1/'
    is "$stderr" ''
}

test_credential_store_does_not_affect_another_registry() {
    credential_store_user
    export IBMCLOUD_API_KEY=$api_key
    exchanging 0 pulls "$open_registry/private/hello"
    is "$stderr" ''
}

test_credential_store_works_for_a_classic_build() {
    credential_store_user
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    record_calls
    classic_build us.icr.io/private/hello
    is "$status" 0
    is "$(head -n 1 "$calls" | cut --delimiter ' ' --fields 1)" list
    grep --quiet --line-regexp 'get us.icr.io' "$calls" || fail 'the helper should be called for the listed login'
}

test_revoked_key_fails_with_a_message_after_its_token_is_deleted() {
    docker_user us.icr.io
    succeeds docker login --username iamapikey --password "$key_to_revoke" us.icr.io
    control revoke-api-key "$key_to_revoke"
    clear_tokens
    fails docker pull us.icr.io/private/hello
    shows 'BXNIM0415E'
    does_not_show "$key_to_revoke"
}
