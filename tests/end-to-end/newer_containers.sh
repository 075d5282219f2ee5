# A newer podman, buildah or skopeo. They need newer libraries, which replace those of the machine while the scenario runs.
# shellcheck shell=bash
. "$here/newer.sh"

readonly newer_containers=$TEST_ROOT/clients/containers

before_each_test() {
    require_fetched "$newer_containers"/missing/*
    require_to_run "$client" --version
}

# Only if all packages were fetched: a program without its libraries does not run.
if ! compgen -G "$newer_containers/missing/*" >/dev/null; then
    mount --types overlay --options "lowerdir=$newer_containers/usr:/usr" overlay /usr
    configure_storage newer-podman
    trap 'umount --lazy /usr; configure_storage podman' EXIT
fi
