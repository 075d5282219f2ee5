# A newer skopeo: all that skopeo.sh tries.
# shellcheck shell=bash
. "$here/scenarios/skopeo.sh"
. "$here/newer_containers.sh"
