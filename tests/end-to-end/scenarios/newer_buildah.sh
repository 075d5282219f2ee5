# A newer buildah: all that buildah.sh tries.
# shellcheck shell=bash
. "$here/scenarios/buildah.sh"
. "$here/newer_containers.sh"
