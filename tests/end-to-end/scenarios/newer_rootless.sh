# A newer podman and buildah of an ordinary user: all tests of rootless.sh.
# shellcheck shell=bash
. "$here/scenarios/rootless.sh"
. "$here/newer_containers.sh"
