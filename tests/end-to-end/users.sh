# Users of one registry, us.icr.io, whose clients read docker's file.
# shellcheck shell=bash

readonly config=.docker/config.json

# A user of one registry who is logged in to it. The engine has no images of this registry.
logged_in_user() {
    use_helper_in "$config" us.icr.io
    try_with "$api_key" docker-credential-icr login --api-key-stdin
    is "$status" 0
    remove_images
    record_calls
}

# A user whose API key is wrong.
user_with_a_wrong_key() {
    use_helper_in "$config" us.icr.io
    remove_images
    export IBMCLOUD_API_KEY=$wrong_api_key
}

shows_why_the_key_failed() {
    shows 'BXNIM0415E'
    does_not_show "$wrong_api_key"
}

# A user with the helper for all registries (credsStore).
credential_store_user() {
    echo '{"credsStore": "icr"}' >"$config"
}

remove_images() {
    docker image rm --force us.icr.io/private/hello us.icr.io/private/built >/dev/null 2>&1 || true
}

helper_was_called_for_one_registry_only() {
    is "$(sort --unique "$calls")" 'get us.icr.io'
    contains_no_secret "$api_key"
}
