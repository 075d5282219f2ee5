# docker and podman after `configure`, after `configure --migrate` and after `configure --undo`.
# shellcheck shell=bash

readonly docker_file=.docker/config.json podman_file=run/containers/auth.json

configure() {
    succeeds docker-credential-icr configure "$@"
}

# A user who logged in without a helper: the key is unencrypted in the client's file.
docker_user_without_helper() {
    # With an empty file, docker would use the desktop's keychain.
    echo '{"auths": {"other.example": {"auth": "eDp5"}}}' >"$docker_file"
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    is "$(jq --raw-output '.auths["us.icr.io"].auth | @base64d' "$docker_file")" "iamapikey:$api_key"
}

podman_user_without_helper() {
    succeeds podman login --username iamapikey --password "$api_key" us.icr.io
    is "$(jq --raw-output '.auths["us.icr.io"].auth | @base64d' "$user_dir/$podman_file")" "iamapikey:$api_key"
}

docker_pulls() {
    succeeds docker pull us.icr.io/private/hello
}

podman_pulls() {
    succeeds within 60 podman pull us.icr.io/private/hello
}

test_configure_then_docker_logs_in_and_pulls() {
    configure docker --registry us.icr.io
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    contains_no_secret "$api_key"
    record_calls
    docker_pulls
    is "$(<"$calls")" 'get us.icr.io'
}

test_configure_then_podman_logs_in_and_pulls() {
    configure podman --registry us.icr.io
    succeeds podman login --username iamapikey --password "$api_key" us.icr.io
    contains_no_secret "$api_key"
    record_calls
    podman_pulls
    is "$(sort --unique "$calls")" 'get us.icr.io'
}

# Both clients compare keys whole.
test_keys_that_no_client_looks_up_are_completed_by_configure() {
    succeeds docker-credential-icr store <<<"{\"ServerURL\": \"us.icr.io\", \"Username\": \"iamapikey\", \"Secret\": \"$api_key\"}"
    record_calls
    local key
    for key in https://us.icr.io us.icr.io/ us.icr.io/private US.icr.io us.icr.io:443; do
        echo "{\"credHelpers\": {\"$key\": \"icr\"}}" | tee "$docker_file" >"$user_dir/$podman_file"
        fails docker pull us.icr.io/private/hello
        fails within 60 podman pull us.icr.io/private/hello
        is "$(<"$calls")" ''
    done
    configure --registry us.icr.io
    : >"$calls"
    docker_pulls
    podman_pulls
    is "$(sort --unique "$calls")" 'get us.icr.io'
}

test_configure_then_podman_logs_in_with_the_file_in_the_variable() {
    export REGISTRY_AUTH_FILE=$user_dir/elsewhere/auth.json
    configure podman --registry us.icr.io
    succeeds podman login --username iamapikey --password "$api_key" us.icr.io
    contains_no_secret "$api_key"
    podman_pulls
}

test_configure_then_podman_logs_in_with_dockers_directory() {
    export DOCKER_CONFIG=$user_dir/docker
    configure podman --registry us.icr.io
    succeeds podman login --username iamapikey --password "$api_key" us.icr.io
    contains_no_secret "$api_key"
    podman_pulls
}

test_configure_finds_both_clients_and_the_registries_that_have_a_login() {
    store us.icr.io iamapikey "$api_key"
    configure
    docker_pulls
    podman_pulls
}

test_known_client_behaviour_docker_uses_the_keychain_only_without_a_helper_in_its_file() {
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    is "$(jq --raw-output .credsStore "$docker_file")" secretservice
    rm "$docker_file"
    configure docker --registry de.icr.io
    shows '"credsStore": "secretservice"'
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    is "$(jq --raw-output '.auths["us.icr.io"].auth | @base64d' "$docker_file")" "iamapikey:$api_key"
    rm "$docker_file"
}

test_migrate_moves_dockers_key_and_docker_still_pulls() {
    docker_user_without_helper
    configure docker --migrate
    contains_no_secret "$api_key"
    is "$(jq --compact-output '[(.auths | keys), .credHelpers]' "$docker_file")" '[["other.example"],{"us.icr.io":"icr"}]'
    record_calls
    docker_pulls
    is "$(<"$calls")" 'get us.icr.io'
}

test_migrate_moves_podmans_key_and_podman_still_pulls() {
    podman_user_without_helper
    configure podman --migrate
    contains_no_secret "$api_key"
    record_calls
    podman_pulls
    is "$(sort --unique "$calls")" 'get us.icr.io'
}

test_migrate_of_a_key_that_iam_rejects_changes_nothing() {
    docker_user_without_helper
    local before
    before=$(<"$docker_file")
    control fault '{"always": {"status": 503}}'
    fails docker-credential-icr configure docker --migrate
    shows 'was not moved'
    control fault '{"always": null}'
    is "$(<"$docker_file")" "$before"
    docker_pulls
    rm "$docker_file"
}

test_undo_restores_the_file_and_docker_works_without_the_helper() {
    docker_user_without_helper
    cp "$docker_file" "$user_dir/before"
    configure docker --registry us.icr.io de.icr.io
    configure --undo
    cmp "$docker_file" "$user_dir/before"
    record_calls
    docker_pulls
    is "$(<"$calls")" ''
    rm "$docker_file" "$user_dir/before"
}

test_undo_after_docker_has_rewritten_its_file() {
    configure docker --registry us.icr.io
    succeeds docker login --username iamapikey --password "$api_key" us.icr.io
    configure --undo
    is "$(jq --compact-output . "$docker_file")" '{"auths":{"us.icr.io":{}}}'
    fails docker pull us.icr.io/private/hello
}

test_undo_removes_the_helper_from_podmans_file_and_podman_works_without_it() {
    configure podman --registry us.icr.io
    configure --undo
    [ ! -e "$user_dir/$podman_file" ] || fail 'should be removed'
    fails podman pull us.icr.io/private/hello
    podman_user_without_helper
    record_calls
    podman_pulls
    is "$(<"$calls")" ''
    rm "$user_dir/$podman_file"
}

# The file was proposed for podman (containers/image, pull requests 1746 and 2600), and not merged.
test_known_client_behaviour_podman_reads_no_auth_json_of_the_system() {
    store us.icr.io iamapikey "$api_key"
    use_helper_in /etc/containers/auth.json us.icr.io
    fails within 60 podman pull us.icr.io/private/hello
    rm /etc/containers/auth.json
}

test_system_then_podman_of_each_user_logs_in_and_pulls() {
    configure podman --system --registry us.icr.io
    succeeds podman login --username iamapikey --password "$api_key" us.icr.io
    contains_no_secret "$api_key"
    record_calls
    podman_pulls
    is "$(sort --unique "$calls")" 'get us.icr.io'
    # Logins to other registries are stored and used as before.
    succeeds podman login --username someone --password other "$open_registry"
    is "$(jq --raw-output ".auths[\"$open_registry\"].auth | @base64d" "$user_dir/$podman_file")" someone:other
    succeeds within 60 podman pull "$open_registry/public/hello"
    configure --system --undo
    rm "$user_dir/$podman_file"
    fails within 60 podman pull us.icr.io/private/hello
}

# Why the note and the file itself say to undo it first.
test_known_client_behaviour_podman_pulls_nothing_without_a_helper_of_its_list() {
    configure podman --system --registry us.icr.io
    PATH=${PATH//"$TEST_ROOT/bin:"/} fails within 60 podman pull "$open_registry/public/hello"
    shows docker-credential-icr
    configure --system --undo
    succeeds within 60 podman pull "$open_registry/public/hello"
}

test_system_then_clients_of_a_new_account_use_the_helper() {
    configure --system --registry us.icr.io
    export HOME=$user_dir/new
    cp --recursive /etc/skel "$HOME"
    configure --system --undo
    store us.icr.io iamapikey "$api_key"
    docker_pulls
    podman_pulls
}
