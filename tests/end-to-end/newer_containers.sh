# A newer podman, buildah or skopeo. They need newer libraries, which are in the library path while the scenario runs: the machine's
# programs use them as well.
# shellcheck shell=bash
. "$here/newer.sh"

readonly newer_containers=$LAB/clients/containers

before_each_test() {
    require_fetched "$newer_containers"/missing/*
    require_to_run "$client" --version
}

# All or nothing: a program without its libraries would not run.
if ! compgen -G "$newer_containers/missing/*" >/dev/null; then
    mount --types overlay --options "lowerdir=$newer_containers/usr:/usr" overlay /usr
    configure_storage newer-podman
    trap 'umount --lazy /usr; configure_storage podman' EXIT
fi
