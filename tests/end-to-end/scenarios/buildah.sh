# buildah: the tests of containers.sh, and building.
# shellcheck shell=bash
client=buildah
. "$here/containers.sh"

pull() {
    within 60 buildah pull --policy always "$1"
}

push() {
    within 60 buildah push us.icr.io/lab/hello "docker://$1"
}

test_from_a_private_image_changed_committed_and_pushed() {
    logged_in_containers_user
    succeeds buildah from --pull-always us.icr.io/lab/hello
    local container=$stdout
    succeeds buildah config --label built=yes "$container"
    succeeds buildah commit --rm "$container" docker://us.icr.io/lab/committed
    succeeds pull us.icr.io/lab/committed
    holds_no_secret "$api_key"
}

test_build_from_a_private_image() {
    logged_in_containers_user
    printf 'FROM us.icr.io/lab/hello\nLABEL built=yes\n' >"$TMPDIR/Containerfile"
    succeeds buildah build --pull-always --tag us.icr.io/lab/built "$TMPDIR"
    succeeds buildah push us.icr.io/lab/built
}
