# Registry tokens and printed credentials, used by docker, podman and skopeo without the helper.
# shellcheck shell=bash

# A user whose API key is in the environment and whose clients do not use the helper.
token_user() {
    export IBMCLOUD_API_KEY=$api_key
}

# Creates a token and stores it in $token.
create_token() {
    succeeds docker-credential-icr token add --registry us.icr.io --quiet "$@"
    token=$stdout
}

# Logs all clients in with the token. They do not use the helper, and docker does not use the keychain that it chooses itself
# if its file does not mention logins.
log_in_everywhere_with_the_token() {
    unset IBMCLOUD_API_KEY
    echo '{"auths": {"elsewhere.example": {}}}' >.docker/config.json
    try_with "$token" docker login --username token --password-stdin us.icr.io
    is "$status" 0
    try_with "$token" podman login --username token --password-stdin us.icr.io
    is "$status" 0
}

# Removes the unencrypted logins that clients wrote without the helper.
remove_unencrypted_logins() {
    rm --force .docker/config.json "$XDG_RUNTIME_DIR/containers/auth.json"
}

tag_everywhere() {
    docker tag us.icr.io/private/hello "$1"
    podman tag us.icr.io/private/hello "$1"
}

test_read_only_token_pulls_and_cannot_push() {
    local client
    token_user
    create_token --description 'to pull'
    log_in_everywhere_with_the_token
    for client in docker podman; do
        succeeds "$client" pull us.icr.io/private/hello
    done
    tag_everywhere us.icr.io/private/pushed-read-only
    for client in docker podman; do
        fails "$client" push us.icr.io/private/pushed-read-only
        shows 'denied'
    done
    remove_unencrypted_logins
}

test_read_write_token_pushes() {
    local client
    token_user
    create_token --readwrite
    log_in_everywhere_with_the_token
    for client in docker podman; do
        succeeds "$client" pull us.icr.io/private/hello
        "$client" tag us.icr.io/private/hello "us.icr.io/private/pushed-with-a-token-by-$client"
        succeeds "$client" push "us.icr.io/private/pushed-with-a-token-by-$client"
    done
    remove_unencrypted_logins
}

test_a_removed_token_is_rejected() {
    local id
    token_user
    create_token
    succeeds docker-credential-icr token list --registry us.icr.io --json
    id=$(jq --raw-output '.tokens[-1].id' <<<"$stdout")
    succeeds skopeo inspect --creds "token:$token" docker://us.icr.io/private/hello
    succeeds docker-credential-icr token rm --registry us.icr.io "$id"
    fails skopeo inspect --creds "token:$token" docker://us.icr.io/private/hello
}

test_token_as_login_works_for_clients_with_the_helper() {
    token_user
    use_helper_in .docker/config.json us.icr.io
    succeeds docker-credential-icr token add --registry us.icr.io --login
    unset IBMCLOUD_API_KEY
    gets us.icr.io token
    succeeds docker pull us.icr.io/private/hello
    succeeds podman pull us.icr.io/private/hello
    tag_everywhere us.icr.io/private/pushed-read-only
    fails docker push us.icr.io/private/pushed-read-only
}

test_registry_token_as_source_pulls_and_pushes_with_one_token() {
    local client before after
    token_user
    use_helper_in .docker/config.json us.icr.io
    export ICR_SOURCE=registry-token
    before=$(created_tokens)
    for client in docker podman; do
        succeeds "$client" pull us.icr.io/private/hello
        "$client" tag us.icr.io/private/hello "us.icr.io/private/pushed-with-our-token-by-$client"
        succeeds "$client" push "us.icr.io/private/pushed-with-our-token-by-$client"
    done
    gets us.icr.io token
    after=$(created_tokens)
    is "$((after - before)) tokens" '1 tokens'
    unset ICR_SOURCE
}

created_tokens() {
    curl --silent --show-error --fail "$emulator/emulator/registry-tokens" | jq length
}

test_registry_without_tokens_shows_docker_and_podman_why() {
    local client
    token_user
    use_helper_in .docker/config.json us.icr.io
    control stop-registry-tokens 410
    export ICR_SOURCE=registry-token
    for client in docker podman; do
        fails "$client" pull us.icr.io/private/hello
        shows 'no registry tokens any more'
        shows 'docker-credential-icr login us.icr.io'
    done
    control stop-registry-tokens off
}

test_printed_docker_config_works_for_skopeo() {
    token_user
    docker-credential-icr print us.icr.io --format docker-config >"$TMPDIR/auth.json"
    unset IBMCLOUD_API_KEY
    succeeds skopeo inspect --authfile "$TMPDIR/auth.json" docker://us.icr.io/private/hello
    rm "$TMPDIR/auth.json"
}

test_printed_pull_secret_works_for_skopeo() {
    token_user
    docker-credential-icr print us.icr.io --format kubernetes-secret --credential iamapikey |
        sed --quiet 's/^  .dockerconfigjson: //p' | base64 --decode >"$TMPDIR/auth.json"
    unset IBMCLOUD_API_KEY
    succeeds skopeo inspect --authfile "$TMPDIR/auth.json" docker://us.icr.io/private/hello
    rm "$TMPDIR/auth.json"
}

test_printed_values_work_for_login_and_curl() {
    local basic
    token_user
    try_with "$(docker-credential-icr print us.icr.io)" docker login --username iambearer --password-stdin us.icr.io
    is "$status" 0
    remove_unencrypted_logins
    basic=$(docker-credential-icr print us.icr.io --format basic)
    succeeds curl --silent --show-error --fail --output "$TMPDIR/answer" --config <(echo "header = \"Authorization: Basic $basic\"") \
        "https://us.icr.io/oauth/token?service=registry&scope=repository:private/hello:pull"
    is "$(jq 'has("token")' "$TMPDIR/answer")" true
    rm "$TMPDIR/answer"
}
