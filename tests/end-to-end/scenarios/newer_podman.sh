# A newer podman: all tests of podman.sh.
# shellcheck shell=bash
. "$here/scenarios/podman.sh"
. "$here/newer_containers.sh"
