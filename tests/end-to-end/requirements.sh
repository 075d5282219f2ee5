# What a machine needs to run the end-to-end tests. If something is missing, it is listed and the exit status is 77.
# shellcheck shell=bash

# The programs, each with its Debian package.
readonly requirements="
buildah buildah
busybox busybox-static
conmon conmon
ctr containerd
curl curl
dbus-daemon dbus-daemon
dbus-monitor dbus-bin
dbus-test-tool dbus-tests
docker docker.io
docker-credential-secretservice golang-docker-credential-helpers
docker-registry docker-registry
dockerd docker.io
faketime faketime
findmnt util-linux
gdbus libglib2.0-bin
git git
gnome-keyring-daemon gnome-keyring
gpg gpg
gpg-agent gpg-agent
gpgconf gpgconf
ip iproute2
jq jq
keyctl keyutils
newuidmap uidmap
openssl openssl
pass pass
podman podman
runc runc
script bsdutils
secret-tool libsecret-tools
setpriv util-linux
skopeo skopeo
su util-linux
sudo sudo
systemd-creds systemd
unshare util-linux"

# The same for the tests in a browser. They are skipped without these programs, because not all distributions have packages of them.
declare -rA browser_requirements=([certutil]=libnss3-tools [chromium]=chromium)

# The same for the tests of other clients; pip3 fetches those of PyPI.
declare -rA client_requirements=([docker-compose]=docker-compose [pip3]=python3-pip)

# The same for an emulated TPM. The second has the libraries with which systemd finds it.
declare -rA tpm_requirements=([swtpm]=swtpm [tpm2]=tpm2-tools)

cannot_run() {
    echo "end-to-end: cannot run here: $*" >&2
    exit 77
}

require_root() {
    [ "$(id -u)" = 0 ] || cannot_run "dockerd and the namespaces of these tests need root, and this is $(id -un). Run: sudo $0"
}

require_programs() {
    local program package missing=()
    while read -r program package; do
        [ -z "$program" ] || command -v "$program" >/dev/null || missing+=("$program (package $package)")
    done <<<"$requirements"
    [ ${#missing[@]} = 0 ] || cannot_run "missing: $(printf '%s, ' "${missing[@]}" | sed 's/, $//')"
    ! ldd "$(command -v busybox)" >/dev/null 2>&1 || cannot_run "busybox is not static (package busybox-static)"
}

require_file() {
    [ -x "$1" ] || cannot_run "$1 does not exist. Build it with: cargo build --workspace --bins"
}
