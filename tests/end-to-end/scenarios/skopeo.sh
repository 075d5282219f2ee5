# skopeo: the tests of containers.sh, `skopeo inspect` and `skopeo copy`.
# shellcheck shell=bash
client=skopeo
. "$here/containers.sh"

pull() {
    within 60 skopeo copy "docker://$1" "dir:$TMPDIR/image"
}

push() {
    within 60 skopeo copy "dir:$TMPDIR/image" "docker://$1"
}

test_inspect_a_private_image() {
    logged_in_containers_user
    succeeds skopeo inspect docker://us.icr.io/private/hello
    is "$(jq --raw-output .Name <<<"$stdout")" us.icr.io/private/hello
}

test_copy_from_one_region_to_another_with_one_exchange() {
    containers_user us.icr.io de.icr.io
    export IBMCLOUD_API_KEY=$api_key
    exchanging 1 succeeds skopeo copy docker://us.icr.io/private/hello docker://de.icr.io/private/copied
}
