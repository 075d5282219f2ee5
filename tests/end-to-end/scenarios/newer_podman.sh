# A newer podman: all that podman.sh tries.
# shellcheck shell=bash
. "$here/scenarios/podman.sh"
. "$here/newer_containers.sh"
