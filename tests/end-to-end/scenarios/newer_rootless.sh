# A newer podman and buildah of an ordinary user: all that rootless.sh tries.
# shellcheck shell=bash
. "$here/scenarios/rootless.sh"
. "$here/newer_containers.sh"
