# The programs of Kubernetes, built from Debian's source, and etcd. Debian has packages of neither the API server nor the kubelet.
# shellcheck shell=bash

readonly kubernetes_version=1.20.2
readonly kubernetes_source="pool/main/k/kubernetes/kubernetes_1.20.5+really$kubernetes_version.orig.tar.gz"
readonly kubernetes_checksum=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc

# Sets $programs, the directory with etcd, kube-apiserver and kubelet. They are built when it does not exist, which takes ten
# minutes of a processor, or longer. $here is the directory of these tests.
provide_programs() {
    programs=$1/kubernetes-$kubernetes_version
    [ ! -d "$programs" ] || return 0
    local build=$1/kubernetes-build
    rm -rf "$build" "$programs.new"
    mkdir -p "$build" "$programs.new"
    fetch_from_bookworm "$build" golang-1.19-go golang-1.19-src etcd-server || return
    unpack_source "$build" || return
    (build_kubernetes "$build" "$programs.new") || return
    cp "$build/debian/usr/bin/etcd" "$programs.new/" || return
    mv "$programs.new" "$programs"
    # Go's cache has files that may only be read.
    chmod -R u+w "$build" && rm -rf "$build"
}

# Unpacks packages of Debian 12, whose Go still builds this version.
fetch_from_bookworm() (
    build=$1
    shift
    export ICR_DEBIAN_RELEASE=bookworm
    # shellcheck source=tests/end-to-end/debian_clients.sh
    # shellcheck disable=SC2154 # of the script that sources this
    . "$here/../end-to-end/debian_clients.sh"
    fetch_from_debian "$build/apt" "$build/debian" "$@"
    ! cat "$build"/debian/missing/* 2>/dev/null || return 1
    debian_mirror >"$build/mirror"
)

unpack_source() {
    local build=$1 archive=$1/source.tar.gz mirror
    mirror=$(<"$1/mirror")
    mirror=${mirror%/}
    curl --silent --show-error --fail --location --output "$archive" "$mirror/$kubernetes_source" || return
    sha256sum --check --quiet <<<"$kubernetes_checksum  $archive" || return
    mkdir -p "$build/go/src/k8s.io" && tar --extract --file "$archive" --directory "$build" || return
    mv "$build/kubernetes-$kubernetes_version" "$build/go/src/k8s.io/kubernetes"
}

# Debian's source has no generated descriptions of types. Server-side apply needs them.
build_kubernetes() {
    local build=$1 into=$2 package=k8s.io/kubernetes types
    export GOROOT=$build/debian/usr/lib/go-1.19 GOPATH=$build/go GOCACHE=$build/cache GOFLAGS='' GO111MODULE=off CGO_ENABLED=0
    PATH=$GOROOT/bin:$PATH
    cd "$GOPATH/src/$package" || return
    go build -o "$build/openapi-gen" $package/vendor/k8s.io/kube-openapi/cmd/openapi-gen || return
    types=$(described_types | sort --unique | paste --serial --delimiters ,)
    "$build/openapi-gen" --logtostderr -i "$types" -p $package/pkg/generated/openapi -O zz_generated.openapi \
        -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$build/violations" -o "$GOPATH/src" || return
    # The release writes the version there.
    sed -i "s/\"v0.0.0-master+[^\"]*\"/\"v$kubernetes_version\"/" staging/src/k8s.io/component-base/version/base.go || return
    go build -trimpath -ldflags '-s -w' -o "$into/" $package/cmd/kube-apiserver $package/cmd/kubelet
}

# Prints the packages with types that the API describes.
described_types() {
    local prefix directory
    for directory in staging/src pkg cmd; do
        [ $directory = staging/src ] && prefix=k8s.io/kubernetes/vendor || prefix=k8s.io/kubernetes
        grep --recursive --files-with-matches --include='*.go' --exclude='*_test.go' '+k8s:openapi-gen=' $directory |
            sed "s,^staging/src/,,; s,/[^/]*$,,; s,^,$prefix/," | grep --invert-match '/code-generator/\|/sample-'
    done
}
