# How cargo builds binaries for all processors, and for Windows. Sourced after provide.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154 # provide.sh sets them

# Sets $environment, the settings for cargo that build for a target: Linux with musl, or Windows with LLVM's libraries. They
# replace the paths of directories in the binary by names that are the same on all machines.
provide_environment() {
    local target=$1 name=${1//-/_} directory=$build_directory/$1/tools cargo_home=${CARGO_HOME:-$HOME/.cargo} map=''
    local zig standard_library from separator=$'\x1f' flag='' linker=rust-lld system=linux-musl
    provide_zig
    provide_standard_library "$target"
    mkdir -p "$directory"
    python3 install/tools/list_crates.py "$target" >"$directory/crates.json"
    case $target in
    *-windows-*) system=windows-gnu linker=$directory/cc ;;
    # Otherwise each start copies 33 pages, to adjust the addresses in them; docs/security.md says what this costs.
    *) flag=-Crelocation-model=static ;;
    esac
    # The last match takes precedence: the build directory is often inside the workspace.
    # With the component rust-src, rustc names the files of the standard library by their paths here.
    for from in "$PWD=/source" "$build_directory=/build" "$cargo_home=/cargo" "$(standard_library_source)=$(released_source)"; do
        flag+="${flag:+$separator}--remap-path-prefix=$from"
        map+="$(printf %q "-ffile-prefix-map=$from") "
    done
    if [ -n "$standard_library" ]; then
        linker=$directory/cc
        for from in --sysroot="$standard_library" -Ctarget-feature=+crt-static -Clink-self-contained=no; do
            flag+=$separator$from
        done
    fi
    # Left out: rustc's name of the target and the size of pointers, which Zig does not accept, and for Windows the names of
    # mingw's libraries, because Zig links with its own. Without optimization, Zig would check C for undefined behaviour.
    write_program "$directory/cc" <<END
#!/usr/bin/env bash
arguments=()
for argument; do
    case \$argument in
    --target=* | -m64 | -nolibc | --unwindlib=none | -lmingw32 | -lmingwex | -lmsvcrt) ;;
    # An import library, which Zig looks for only among static ones.
    -lwindows.*) arguments+=(-Wl,-Bstatic "\$argument" -Wl,-Bdynamic) ;;
    *) arguments+=("\$argument") ;;
    esac
done
exec $(printf %q "$zig") cc -target ${target%%-*}-$system -fno-sanitize=undefined $map"\${arguments[@]}"
END
    write_program "$directory/ar" <<END
#!/usr/bin/env bash
exec $(printf %q "$zig") ar "\$@"
END
    # shellcheck disable=SC2034 # used by the script that sources this
    environment=(
        --unset=RUSTFLAGS
        "AR_$name=$directory/ar"
        "CARGO_ENCODED_RUSTFLAGS=$flag"
        CARGO_INCREMENTAL=0
        "CARGO_SBOM_PATH=$directory/crates.json"
        "CARGO_TARGET_${name^^}_LINKER=$linker"
        "CC_$name=$directory/cc"
        "SOURCE_DATE_EPOCH=$(source_date)"
        "ZIG_GLOBAL_CACHE_DIR=$directory/zig-cache"
        "ZIG_LOCAL_CACHE_DIR=$directory/zig-cache"
    )
}

# The source of the standard library, if the component rust-src is installed.
standard_library_source() {
    echo "$(rustc --print sysroot)/lib/rustlib/src/rust"
}

# Adds the component until remove_source, if it is missing and rustup is there.
add_source() {
    if ! command -v rustup >/dev/null || rustup component list --installed | grep -qx rust-src; then return; fi
    source_added=true
    rustup component add rust-src >&2
}

remove_source() {
    [ "${source_added:-false}" = false ] || rustup component remove rust-src >&2
}

# How rustc names that source without the component.
released_source() {
    echo "/rustc/$(rustc --version --verbose | sed -n 's/^commit-hash: //p')"
}

# Written only if it changed: a newer file makes cargo build again.
write_program() {
    local path=$1
    cat >"$path.new"
    chmod 755 "$path.new"
    if cmp -s "$path.new" "$path"; then rm "$path.new"; else mv "$path.new" "$path"; fi
}

# Provides the standard library for a target. Sets $standard_library, the directory of one that is built here because rustup
# has none; otherwise it is empty.
provide_standard_library() {
    local target=$1
    standard_library=''
    case $target in
    powerpc64le-unknown-linux-musl | s390x-unknown-linux-musl) build_standard_library "$target" ;;
    *) rustup target add "$target" >&2 ;;
    esac
}

# Builds the standard library from the source that comes with rustc, as it is built for the other musl targets, but without
# musl and libunwind, which Zig has. rustc accepts its unstable features only by RUSTC_BOOTSTRAP, which no other crate gets.
build_standard_library() {
    local target=$1 version directory source map
    version=$(rustc --version --verbose | sed -n 's/^release: //p')
    standard_library=$tools/std-$version-$target
    [ ! -d "$standard_library" ] || return 0
    rustup component add rust-src >&2
    source=$(standard_library_source)
    directory=$standard_library.new
    rm -rf "$directory"
    mkdir -p "$directory/lib/rustlib/$target/lib"
    map="--remap-path-prefix=$source=$(released_source)"
    map+=$'\x1f'"--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    env --unset=RUSTFLAGS RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DIST_DEBUG=0 \
        "CARGO_ENCODED_RUSTFLAGS=$map"$'\x1f'"-Zforce-unstable-if-unmarked"$'\x1f'"-Ctarget-feature=+crt-static" \
        cargo build --quiet --locked --profile dist --manifest-path "$source/library/sysroot/Cargo.toml" --target "$target" \
        --target-dir "$directory/build" --features panic-unwind,backtrace,system-llvm-libunwind >&2 || return
    mv "$directory/build/$target/dist/deps"/*.rlib "$directory/lib/rustlib/$target/lib/"
    rm -rf "$directory/build"
    mv "$directory" "$standard_library"
}
