# docker compose, as a plug-in of docker or as a separate program.
# shellcheck shell=bash

compose() {
    DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} "${compose[@]}" "$@"
}

require_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        skip 'docker compose is not installed (package docker-compose)'
    fi
}

# A service that runs a private image, and one that is built from it.
two_services() {
    require_compose
    cat >docker-compose.yml <<'YAML'
services:
  ready:
    image: us.icr.io/private/hello
    network_mode: none
    command: ["sh", "-c", "exit 42"]
  made:
    image: us.icr.io/private/built
    network_mode: none
    build: ./made
    command: ["sh", "-c", "exit 43"]
YAML
    mkdir made
    printf 'FROM us.icr.io/private/hello\nLABEL built=by-compose\n' >made/Dockerfile
}

test_compose_pulls_and_runs_a_private_image() {
    logged_in_user
    two_services
    succeeds compose pull ready
    helper_was_called_for_one_registry_only
    try compose up --no-build --exit-code-from ready ready
    is "$status" 42
    compose down >/dev/null 2>&1
}

test_compose_builds_from_a_private_image_and_pushes() {
    logged_in_user
    two_services
    succeeds compose build --pull made
    succeeds compose push made
    helper_was_called_for_one_registry_only
    docker image rm --force us.icr.io/private/built >/dev/null
    succeeds docker pull us.icr.io/private/built
}

test_compose_with_a_failing_key_shows_why() {
    user_with_a_wrong_key
    two_services
    fails compose pull ready
    shows_why_the_key_failed
}
