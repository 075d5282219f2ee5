# podman: the tests of containers.sh, and `podman run`.
# shellcheck shell=bash
client=podman
. "$here/containers.sh"

pull() {
    within 60 podman pull "$1"
}

push() {
    podman tag us.icr.io/private/hello "$1" && within 60 podman push "$1"
}

test_run_of_a_private_image() {
    logged_in_containers_user
    try podman run --rm --pull always --network none us.icr.io/private/hello sh -c 'exit 42'
    is "$status" 42
}

test_run_with_a_failing_key_shows_why() {
    containers_user us.icr.io
    export IBMCLOUD_API_KEY=$wrong_api_key
    fails podman run --rm --pull always --network none us.icr.io/private/hello true
    shows 'BXNIM0415E'
}
