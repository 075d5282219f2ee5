# Newer clients from another release of Debian. They are fetched before the namespaces start, which have no network, and only
# unpacked. The machine's own apt does not change.
# shellcheck shell=bash

# Packages that this release does not have come from testing. Versions are not pinned, because a mirror has only the newest.
readonly debian_release=${ICR_DEBIAN_RELEASE:-trixie}

# Programs that need only a C library. They run only in the namespaces.
readonly debian_clients=(docker-cli docker-buildx docker-compose crane cosign oras)

# Programs that need newer libraries, and these libraries by their names in trixie. They work only together.
readonly debian_containers=(podman buildah skopeo netavark
    libc6 libassuan9 libgpg-error0 libgpgme11t64 libsqlite3-0 libsubid5)

readonly debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Unpacks packages into a directory. For a package that is not available, the file missing/PACKAGE contains the reason.
fetch_from_debian() {
    local apt=$1 directory=$2 package
    shift 2
    [ ! -e "$directory" ] || return 0
    mkdir -p "$directory/missing" "$apt"/{state/lists/partial,cache/archives/partial,packages}
    for package in "$@"; do
        if ! update_apt "$apt" || ! unpack "$package" "$apt" "$directory"; then
            echo "$package is not available from Debian: $(tail -n 1 "$apt/log")" >"$directory/missing/$package"
        fi
    done
    find "$apt/packages" -name '*.deb' -printf 'Fetched %f\n' | sort
    rm -r "$apt/packages"
}

# Gets the lists of packages once, with a separate configuration of apt.
update_apt() {
    local apt=$1
    if [ ! -e "$apt/log" ]; then
        write_apt_configuration "$apt" >"$apt/log" 2>&1 && own_apt "$apt" update && touch "$apt/updated"
    fi
    [ -e "$apt/updated" ]
}

write_apt_configuration() {
    local apt=$1 mirror
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        echo "this machine's apt names no mirror of Debian (or needs an apt-get update)"
        return 1
    fi
    printf "deb [arch=$(dpkg --print-architecture) signed-by=$debian_keyring] $mirror %s main\n" "$debian_release" testing |
        sort --unique >"$apt/sources.list"
    apt_configuration "$apt" >"$apt/apt.conf"
}

# The mirror that this machine's apt uses.
debian_mirror() {
    # shellcheck disable=SC2016 # expands in apt
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort | sed --quiet 1p
}

# Uses this machine's settings for reaching a mirror, such as proxies, but not its settings for trust.
apt_configuration() {
    local apt=$1
    apt-config dump | grep '^Acquire::' | grep --invert-match '^Acquire::\(Allow\|IndexTargets\|Languages\)'
    cat <<END
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::State "$apt/state";
Dir::State::status "/dev/null";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "10";
APT::Default-Release "$debian_release";
APT::Sandbox::User "root";
END
}

unpack() {
    local package=$1 apt=$2 directory=$3
    own_apt "$apt" download "$package" &&
        has_compatible_libc "$package" "$apt" &&
        dpkg-deb --extract "$apt/packages/$package"_*.deb "$directory" >>"$apt/log" 2>&1
}

# The machine's programs also run with the fetched C library, so it must not be older than theirs.
has_compatible_libc() {
    local package=$1 apt=$2 installed
    [ "$package" = libc6 ] || return 0
    installed=$(dpkg-query --showformat '${Version}' --show libc6)
    dpkg --compare-versions "$installed" le "$(dpkg-deb --field "$apt/packages/$package"_*.deb Version)" ||
        ! echo "this machine's $installed is newer" >>"$apt/log"
}

own_apt() (
    cd "$1/packages" && APT_CONFIG=$1/apt.conf LC_ALL=C timeout 120 apt-get "${@:2}" >>"$1/log" 2>&1
)
