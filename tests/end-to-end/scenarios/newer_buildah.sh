# A newer buildah: all tests of buildah.sh.
# shellcheck shell=bash
. "$here/scenarios/buildah.sh"
. "$here/newer_containers.sh"
