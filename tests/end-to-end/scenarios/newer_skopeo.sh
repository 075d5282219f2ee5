# A newer skopeo: all tests of skopeo.sh.
# shellcheck shell=bash
. "$here/scenarios/skopeo.sh"
. "$here/newer_containers.sh"
