# A newer docker CLI with its plug-ins, with the same engine: all tests of docker.sh and compose.sh, and buildx.
# shellcheck shell=bash
. "$here/scenarios/docker.sh"
. "$here/compose.sh"
. "$here/newer.sh"
key_to_revoke=${revocable_api_keys[1]}
PATH=$newer/usr/bin:$PATH

# The plug-ins are where a user installs them.
before_each_test() {
    require_newer docker-cli docker --version
    docker version >/dev/null 2>&1 || skip "$(docker --version) does not talk to this engine"
    ln -s "$newer/usr/libexec/docker/cli-plugins" .docker/cli-plugins
    export DOCKER_BUILDKIT=1
}

require_compose() {
    require_newer docker-compose docker compose version
    compose=(docker compose)
}

require_buildx() {
    require_newer docker-buildx docker buildx version
}

dockerfile_with_a_private_image() {
    mkdir recipe
    printf 'FROM us.icr.io/private/hello\nLABEL built=by-buildx\n' >recipe/Dockerfile
}

test_buildx_builds_from_a_private_image_and_pushes_without_other_registries() {
    require_buildx
    logged_in_user
    docker_user us.icr.io de.icr.io uk.icr.io
    dockerfile_with_a_private_image
    succeeds docker buildx build --pull --push --tag us.icr.io/private/built recipe
    helper_was_called_for_one_registry_only
    remove_images
    succeeds docker pull us.icr.io/private/built
    is "$(docker image inspect --format '{{.Config.Labels.built}}' us.icr.io/private/built)" by-buildx
}

test_buildx_with_a_failing_key_shows_why() {
    require_buildx
    user_with_a_wrong_key
    dockerfile_with_a_private_image
    fails docker buildx build --pull recipe
    shows_why_the_key_failed
}
