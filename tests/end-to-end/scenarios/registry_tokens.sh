# Registry tokens, and credentials for what cannot call a helper: what docker, podman and skopeo can do with them.
# shellcheck shell=bash

# A user whose API key is in the environment and whose clients do not use the helper.
token_user() {
    export IBMCLOUD_API_KEY=$api_key
}

# Makes a token; it stands in $token then.
make_token() {
    succeeds docker-credential-icr token add --registry us.icr.io --quiet "$@"
    token=$stdout
}

# The clients log in with the token alone: the helper is out of the game, and so is the keychain that docker takes by itself
# where it finds one and its file says nothing about logins.
log_in_everywhere_with_the_token() {
    unset IBMCLOUD_API_KEY
    echo '{"auths": {"elsewhere.example": {}}}' >.docker/config.json
    try_with "$token" docker login --username token --password-stdin us.icr.io
    is "$status" 0
    try_with "$token" podman login --username token --password-stdin us.icr.io
    is "$status" 0
}

# What was written down in clear by clients that did not know the helper.
remove_plain_logins() {
    rm --force .docker/config.json "$XDG_RUNTIME_DIR/containers/auth.json"
}

tag_everywhere() {
    docker tag us.icr.io/lab/hello "$1"
    podman tag us.icr.io/lab/hello "$1"
}

test_read_only_token_pulls_and_cannot_push() {
    local client
    token_user
    make_token --description 'to pull'
    log_in_everywhere_with_the_token
    for client in docker podman; do
        succeeds "$client" pull us.icr.io/lab/hello
    done
    tag_everywhere us.icr.io/lab/pushed-read-only
    for client in docker podman; do
        fails "$client" push us.icr.io/lab/pushed-read-only
        shows 'denied'
    done
    remove_plain_logins
}

test_read_write_token_pushes() {
    local client
    token_user
    make_token --readwrite
    log_in_everywhere_with_the_token
    for client in docker podman; do
        succeeds "$client" pull us.icr.io/lab/hello
        "$client" tag us.icr.io/lab/hello "us.icr.io/lab/pushed-with-a-token-by-$client"
        succeeds "$client" push "us.icr.io/lab/pushed-with-a-token-by-$client"
    done
    remove_plain_logins
}

test_removed_token_opens_nothing() {
    local id
    token_user
    make_token
    succeeds docker-credential-icr token list --registry us.icr.io --json
    id=$(jq --raw-output '.tokens[-1].id' <<<"$stdout")
    succeeds skopeo inspect --creds "token:$token" docker://us.icr.io/lab/hello
    succeeds docker-credential-icr token rm --registry us.icr.io "$id"
    fails skopeo inspect --creds "token:$token" docker://us.icr.io/lab/hello
}

test_token_as_login_serves_clients_with_the_helper() {
    token_user
    use_helper_in .docker/config.json us.icr.io
    succeeds docker-credential-icr token add --registry us.icr.io --login
    unset IBMCLOUD_API_KEY
    gets us.icr.io token
    succeeds docker pull us.icr.io/lab/hello
    succeeds podman pull us.icr.io/lab/hello
    tag_everywhere us.icr.io/lab/pushed-read-only
    fails docker push us.icr.io/lab/pushed-read-only
}

test_registry_token_as_source_pulls_and_pushes_with_one_token() {
    local client before after
    token_user
    use_helper_in .docker/config.json us.icr.io
    export ICR_SOURCE=registry-token
    before=$(tokens_made)
    for client in docker podman; do
        succeeds "$client" pull us.icr.io/lab/hello
        "$client" tag us.icr.io/lab/hello "us.icr.io/lab/pushed-with-our-token-by-$client"
        succeeds "$client" push "us.icr.io/lab/pushed-with-our-token-by-$client"
    done
    gets us.icr.io token
    after=$(tokens_made)
    is "$((after - before)) tokens" '1 tokens'
    unset ICR_SOURCE
}

tokens_made() {
    curl --silent --show-error --fail "$emulator/emulator/registry-tokens" | jq length
}

test_registry_without_tokens_shows_docker_and_podman_why() {
    local client
    token_user
    use_helper_in .docker/config.json us.icr.io
    control stop-registry-tokens 410
    export ICR_SOURCE=registry-token
    for client in docker podman; do
        fails "$client" pull us.icr.io/lab/hello
        shows 'no registry tokens any more'
        shows 'docker-credential-icr login us.icr.io'
    done
    control stop-registry-tokens off
}

test_printed_docker_config_serves_skopeo() {
    token_user
    docker-credential-icr print us.icr.io --format docker-config >"$TMPDIR/auth.json"
    unset IBMCLOUD_API_KEY
    succeeds skopeo inspect --authfile "$TMPDIR/auth.json" docker://us.icr.io/lab/hello
    rm "$TMPDIR/auth.json"
}

test_printed_pull_secret_serves_skopeo() {
    token_user
    docker-credential-icr print us.icr.io --format kubernetes-secret --credential iamapikey |
        sed --quiet 's/^  .dockerconfigjson: //p' | base64 --decode >"$TMPDIR/auth.json"
    unset IBMCLOUD_API_KEY
    succeeds skopeo inspect --authfile "$TMPDIR/auth.json" docker://us.icr.io/lab/hello
    rm "$TMPDIR/auth.json"
}

test_printed_values_serve_login_and_curl() {
    local basic
    token_user
    try_with "$(docker-credential-icr print us.icr.io)" docker login --username iambearer --password-stdin us.icr.io
    is "$status" 0
    remove_plain_logins
    basic=$(docker-credential-icr print us.icr.io --format basic)
    succeeds curl --silent --show-error --fail --output "$TMPDIR/answer" --config <(echo "header = \"Authorization: Basic $basic\"") \
        "https://us.icr.io/oauth/token?service=registry&scope=repository:lab/hello:pull"
    is "$(jq 'has("token")' "$TMPDIR/answer")" true
    rm "$TMPDIR/answer"
}
