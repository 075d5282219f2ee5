# buildah: the tests of containers.sh, and builds.
# shellcheck shell=bash
client=buildah
. "$here/containers.sh"

pull() {
    within 60 buildah pull --policy always "$1"
}

push() {
    within 60 buildah push us.icr.io/private/hello "docker://$1"
}

test_from_a_private_image_changed_committed_and_pushed() {
    logged_in_containers_user
    succeeds buildah from --pull-always us.icr.io/private/hello
    local container=$stdout
    succeeds buildah config --label built=yes "$container"
    succeeds buildah commit --rm "$container" docker://us.icr.io/private/committed
    succeeds pull us.icr.io/private/committed
    contains_no_secret "$api_key"
}

test_build_from_a_private_image() {
    logged_in_containers_user
    printf 'FROM us.icr.io/private/hello\nLABEL built=yes\n' >"$TMPDIR/Containerfile"
    succeeds buildah build --pull-always --tag us.icr.io/private/built "$TMPDIR"
    succeeds buildah push us.icr.io/private/built
}
