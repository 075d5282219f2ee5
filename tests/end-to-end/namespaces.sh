# A machine within the machine: user, mount, network, process and cgroup namespaces, so that nothing the lab does outlives it.
# A user namespace has kernel keyrings of its own, which is why there is one although the tests run as root.
# shellcheck shell=bash

readonly LAB=/run/icr-lab
export LAB

# Variables of the caller that reach the lab; all else (proxies, certificates, API keys, agents) stays outside.
kept_environment=("PATH=$LAB/bin:$PATH" "LAB=$LAB" "LANG=C.UTF-8" "ICR_ONLY=${ICR_ONLY:-}")

# Runs a command as root of fresh namespaces, in a cgroup of its own; returns its exit status.
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

# Users can be mapped only from outside: says when the namespace is there, and goes on when they are.
unshare_and_wait_for_users() {
    # shellcheck disable=SC2016 # expands in the namespace
    exec unshare --user --mount --net --pid --fork --kill-child --uts --ipc --cgroup \
        bash -c 'echo there && read -r _ && exec "$@" >&3 3>&- </dev/null' - "$@"
}

# Makes a cgroup below ours and prints its directory; prints nothing where there is no cgroup v2 to write to.
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

# Ends what may still run in the cgroup, and removes it with what the container engines made below it.
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

# Runs a command and fails if mounts, hosts, certificates, engine directories or links of this machine are not as before.
left_as_it_was() {
    local before status=0
    before=$(fingerprint)
    "$@" || status=$?
    if ! diff <(echo "$before") <(fingerprint); then
        echo "end-to-end: the machine is not as it was before (difference above)" >&2
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

# In the namespaces: creates private directories where engines and clients write, makes the rest read-only, and copies what is hidden.
prepare_namespaces() {
    local scripts=$1 binaries=$2 clients=$3 directory
    mount --make-rprivate /
    mount --types tmpfs --options mode=755 lab /run
    mkdir -p "$LAB"/{bin,tmp,clients}
    cp -r "$scripts" "$LAB/scripts"
    mount --bind "$clients" "$LAB/clients"
    cp "$binaries"/{docker-credential-icr,icr-emulator} "$LAB/bin/"
    for directory in /etc /var; do overlay "$directory"; done
    for directory in /root /home /dev/shm; do mount --types tmpfs lab "$directory"; done
    mount --types tmpfs --options mode=1777 lab /tmp
    mount --types proc proc /proc
    mount --types sysfs sysfs /sys
    mount --types cgroup2 cgroup2 /sys/fs/cgroup || echo "end-to-end: no cgroup v2 here, containers may not start" >&2
    mount --options remount,bind,ro /
    ip link set lo up
}

# Makes a directory writable; changes are lost at the end.
overlay() {
    local over=$LAB/overlay$1
    mkdir -p "$over"/{upper,work}
    mount --types overlay --options "lowerdir=$1,upperdir=$over/upper,workdir=$over/work" overlay "$1"
}
