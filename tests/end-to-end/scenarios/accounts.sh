# Two accounts at the same time, and all sources that need no person.
# shellcheck shell=bash

readonly config=.docker/config.json
readonly auth_file=run/containers/auth.json

# A user in two teams, with one registry for each.
user_of_two_teams() {
    use_helper_in "$config" us.icr.io de.icr.io
    use_helper_in "$user_dir/$auth_file" us.icr.io de.icr.io
    settings <<END
[profile.team-a]
[profile.team-b]

[registry."us.icr.io"]
profile = "team-a"

[registry."de.icr.io"]
profile = "team-b"
END
    log_in_with "$key_of_team_a" --profile team-a
    log_in_with "$key_of_team_b" --profile team-b
}

settings() {
    mkdir -p .config/docker-credential-icr
    cat >.config/docker-credential-icr/config.toml
    chmod 600 .config/docker-credential-icr/config.toml
}

log_in_with() {
    try_with "$1" docker-credential-icr login --api-key-stdin "${@:2}"
    is "$status" 0
}

# Each team's image comes from its own registry, and only from there.
each_team_pulls_its_own() {
    local pull=("$@")
    succeeds "${pull[@]}" us.icr.io/team-a/hello
    succeeds "${pull[@]}" de.icr.io/team-b/hello
    fails "${pull[@]}" us.icr.io/team-b/hello
    fails "${pull[@]}" de.icr.io/team-a/hello
}

test_docker_pulls_from_two_registries_under_two_accounts() {
    user_of_two_teams
    each_team_pulls_its_own docker pull
    contains_no_secret "$key_of_team_a"
    contains_no_secret "$key_of_team_b"
}

test_podman_pulls_from_two_registries_under_two_accounts() {
    user_of_two_teams
    each_team_pulls_its_own podman pull
}

test_skopeo_reads_from_two_registries_under_two_accounts() {
    user_of_two_teams
    each_team_pulls_its_own inspect
}

inspect() {
    skopeo inspect "docker://$1"
}

test_a_profile_in_the_environment_is_for_all_registries() {
    user_of_two_teams
    ICR_PROFILE=team-b succeeds docker pull us.icr.io/team-b/hello
    ICR_PROFILE=team-a succeeds docker pull de.icr.io/team-a/hello
}

test_two_accounts_by_credentials_files() {
    use_helper_in "$config" us.icr.io de.icr.io
    mkdir "$user_dir/secrets"
    (umask 077 && echo "CONTAINER_REGISTRY_APIKEY=$key_of_team_a" >"$user_dir/secrets/a.env")
    (umask 077 && echo "CONTAINER_REGISTRY_APIKEY=$key_of_team_b" >"$user_dir/secrets/b.env")
    settings <<END
[profile.team-a]
source = "credentials-file"
file = "$user_dir/secrets/a.env"
[profile.team-b]
source = "credentials-file"
file = "$user_dir/secrets/b.env"
[registry."us.icr.io"]
profile = "team-a"
[registry."de.icr.io"]
profile = "team-b"
END
    each_team_pulls_its_own docker pull
    rm -r "$user_dir/secrets"
}

# The token with which the login was checked is enough.
test_one_login_works_for_all_registries_until_logout() {
    use_helper_in "$config" "${regions[@]}"
    log_in_with "$api_key"
    exchanging 0 pull_everywhere
    contains_no_secret "$api_key"
    succeeds docker-credential-icr logout
    fails docker pull us.icr.io/private/hello
}

pull_everywhere() {
    local region
    for region in "${regions[@]}"; do succeeds docker pull "$region/private/hello"; done
}

test_the_session_of_the_ibm_cloud_cli_is_used() {
    use_helper_in "$config" us.icr.io de.icr.io
    mkdir .bluemix
    (umask 077 && jq --null-input --arg token "$(new_refresh_token)" \
        '{IAMToken: "", IAMRefreshToken: $token, IAMEndpoint: "https://iam.cloud.ibm.com", CloudName: "bluemix"}' \
        >.bluemix/config.json)
    cp .bluemix/config.json "$user_dir/before"
    exchanging 2 pull_twice_from_each
    cmp .bluemix/config.json "$user_dir/before"
    rm .bluemix/config.json "$user_dir/before"
}

# Pulls twice from each registry: the second time with the rotated refresh token, because the session's is no longer valid.
pull_twice_from_each() {
    succeeds docker pull us.icr.io/private/hello
    succeeds docker pull de.icr.io/private/hello
    printf '[profile.long-push]\ncredential = "iamrefresh"\n' | settings
    ICR_PROFILE=long-push succeeds docker pull us.icr.io/private/hello
}

test_a_pod_with_a_compute_resource_token() {
    use_helper_in "$config" us.icr.io
    mkdir -p /var/run/secrets/tokens
    echo "$compute_resource_token" >/var/run/secrets/tokens/sa-token
    fails docker pull us.icr.io/private/hello
    export IBMCLOUD_CR_PROFILE=$profile
    succeeds docker pull us.icr.io/private/hello
    echo no-longer-good >/var/run/secrets/tokens/sa-token
    fails docker pull us.icr.io/private/hello
    shows '/var/run/secrets/tokens/sa-token'
    rm -r /var/run/secrets
}

test_a_virtual_server_by_its_metadata() {
    use_helper_in "$config" us.icr.io
    exchanging 0 fails docker pull us.icr.io/private/hello
    export IBMCLOUD_CR_VPC_URL=$emulator
    succeeds docker pull us.icr.io/private/hello
    unset IBMCLOUD_CR_VPC_URL
    export IBMCLOUD_CR_PVS_URL=$emulator
    succeeds docker pull us.icr.io/private/hello
}
