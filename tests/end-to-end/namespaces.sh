# The namespaces of the tests (user, mount, network, process, cgroup): nothing that the tests do remains after them.
# The tests run as root, but need a user namespace, because it has its own kernel keyrings.
# shellcheck shell=bash

readonly TEST_ROOT=/run/icr-test
export TEST_ROOT

# The variables of the tests. Other variables of the caller (proxies, certificates, API keys, agents) are removed.
kept_environment=("PATH=$TEST_ROOT/bin:$PATH" "TEST_ROOT=$TEST_ROOT" "LANG=C.UTF-8" "ICR_ONLY=${ICR_ONLY:-}")

# Runs a command as root of new namespaces, in its own cgroup; returns its exit status.
in_own_namespaces() {
    local cgroup namespaces status=0
    cgroup=$(new_cgroup)
    exec 3>&1
    coproc NAMESPACES { join_cgroup "$cgroup" && unshare_and_wait_for_users "$@"; }
    # shellcheck disable=SC2153 # set by coproc
    namespaces=$NAMESPACES_PID
    # shellcheck disable=SC2064 # the values of now
    trap "kill -KILL $namespaces 2>/dev/null || true; remove_cgroup '$cgroup'" EXIT
    read -r _ <&"${NAMESPACES[0]}" || cannot_run "the kernel grants no user namespace (see the line above)"
    echo "0 0 65536" >"/proc/$namespaces/uid_map"
    echo "0 0 65536" >"/proc/$namespaces/gid_map"
    echo go >&"${NAMESPACES[1]}"
    wait "$namespaces" || status=$?
    remove_cgroup "$cgroup"
    trap - EXIT
    return $status
}

# Prints a line when the namespace exists, then waits: only the process outside can map the users.
unshare_and_wait_for_users() {
    # shellcheck disable=SC2016 # expands in the namespace
    exec unshare --user --mount --net --pid --fork --kill-child --uts --ipc --cgroup \
        bash -c 'echo ready && read -r _ && exec "$@" >&3 3>&- </dev/null' - "$@"
}

# Creates a cgroup below the current one and prints its directory; prints nothing without a writable cgroup v2.
new_cgroup() {
    local root directory
    root=$(findmnt --noheadings --first-only --output TARGET --types cgroup2) || return 0
    directory=$root$(sed -n 's/^0:://p' /proc/self/cgroup)/icr-end-to-end.$$
    mkdir "$directory" 2>/dev/null || return 0
    echo "$directory"
}

join_cgroup() {
    [ -z "$1" ] || echo "$BASHPID" >"$1/cgroup.procs"
}

# Kills the processes in the cgroup, and removes it with the cgroups that container engines created below it.
remove_cgroup() {
    [ -d "$1" ] || return 0
    echo 1 >"$1/cgroup.kill" 2>/dev/null || true
    for _ in {1..100}; do
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ -d "$1" ] || return 0
        sleep 0.05
    done
    echo "end-to-end: could not remove $1" >&2
}

# Runs a command and fails if it changed mounts, hosts, certificates, engine directories or network links of this machine.
without_changes_of_the_machine() {
    local before status=0
    before=$(fingerprint)
    "$@" || status=$?
    if ! diff <(echo "$before") <(fingerprint); then
        echo "end-to-end: the tests changed this machine (difference above)" >&2
        return 1
    fi
    return $status
}

fingerprint() {
    findmnt --noheadings --list --output TARGET,SOURCE,FSTYPE
    cksum /etc/hosts /etc/ssl/certs/ca-certificates.crt
    ls -d /var/lib/docker /var/lib/containers /etc/docker/key.json /run/docker* /run/containers 2>/dev/null
    ip -brief link
}

# In the namespaces: creates private directories where engines and clients write, and makes the rest read-only. Scripts,
# pages and binaries are copied, because their directories may be hidden afterwards.
prepare_namespaces() {
    local scripts=$1 binaries=$2 clients=$3 directory
    mount --make-rprivate /
    mount --types tmpfs --options mode=755 icr-test /run
    mkdir -p "$TEST_ROOT"/{bin,tmp,clients}
    cp -r "$scripts" "$TEST_ROOT/scripts"
    cp -r "$scripts/../../docs" "$TEST_ROOT/pages"
    cp "$scripts/../../README.md" "$TEST_ROOT/pages/"
    mount --bind "$clients" "$TEST_ROOT/clients"
    cp "$binaries"/{docker-credential-icr,icr-emulator} "$TEST_ROOT/bin/"
    for directory in /etc /var; do overlay "$directory"; done
    for directory in /root /home /dev/shm; do mount --types tmpfs icr-test "$directory"; done
    mount --types tmpfs --options mode=1777 icr-test /tmp
    mount --types proc proc /proc
    mount --types sysfs sysfs /sys
    mount --types cgroup2 cgroup2 /sys/fs/cgroup || echo "end-to-end: no cgroup v2 here, containers may not start" >&2
    mount --options remount,bind,ro /
    ip link set lo up
}

# Makes a directory writable; changes are lost at the end. Without `userxattr`, a directory that was removed cannot be created
# again in a user namespace.
overlay() {
    local over=$TEST_ROOT/overlay$1
    mkdir -p "$over"/{upper,work}
    mount --types overlay --options "lowerdir=$1,upperdir=$over/upper,workdir=$over/work,userxattr" overlay "$1"
}
