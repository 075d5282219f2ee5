#!/usr/bin/env bash
# Builds docker-credential-icr and installs it; `--help` explains.
set -euo pipefail

readonly program=docker-credential-icr
workspace=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly workspace

usage() {
    cat <<END
usage: install.sh [--system | --prefix DIR] [--uninstall [--yes] | --check]

Builds $program and installs it for your user: the program in \$XDG_BIN_HOME or ~/.local/bin,
its manual and shell completions in \$XDG_DATA_HOME or ~/.local/share.

  --system      Install for all users in /usr/local/bin and /usr/local/share; only copying needs root
  --prefix DIR  Install in DIR/bin and DIR/share
  --uninstall   Remove the helper from your clients' files, your logins (it asks before both) and the installed files
  --yes         With --uninstall, answer yes to all questions
  --check       Only list what is missing to build the program
  --help        Print this help
END
}

main() {
    action=install scope=user prefix='' yes=''
    parse "$@"
    case $action in
    build) build ;;
    check) check && echo "Nothing is missing." ;;
    install) install_program ;;
    uninstall) uninstall_program ;;
    help) usage ;;
    esac
}

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --build | --check | --help | --uninstall) action=${1#--} ;;
        -h) action=help ;;
        --system) scope=system ;;
        --yes | -y) yes=yes ;;
        --prefix)
            [ -n "${2:-}" ] || misused "--prefix needs a directory"
            prefix=$2
            shift
            ;;
        --prefix=?*) prefix=${1#--prefix=} ;;
        *) misused "unknown option '$1'" ;;
        esac
        shift
    done
    [ "$scope" = user ] || [ -z "$prefix" ] || misused "--system and --prefix exclude each other"
    [ -z "$yes" ] || [ "$action" = uninstall ] || misused "--yes needs --uninstall"
}

misused() {
    echo "install.sh: $1" >&2
    usage >&2
    exit 2
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

install_program() {
    local built found
    # What root installs is for all users.
    if [ "$scope" = system ] || [ "$(id -u)" = 0 ]; then umask 022; fi
    directory=$(directory)
    [ ! -d "$directory/$program" ] || fail "$directory/$program is a directory. Remove it first"
    require_nothing "$(unfit_directory)"
    as_invoker --check >/dev/null
    echo "Building $program (a few minutes the first time)"
    built=$(as_invoker --build)
    replace "$built"
    remove_documents
    install_documents
    found=$("$directory/$program" version) ||
        fail "$directory/$program was installed, but cannot be run. Use --prefix with a directory where programs may be run"
    echo "Installed $found as $directory/$program"
    warn_about_path
    explain_zsh_completion
    next_step
}

# Its questions and steps are in get.sh, which has to be one file.
uninstall_program() {
    set -- --name install.sh --uninstall
    [ "$scope" = user ] || set -- "$@" --system
    [ -z "$prefix" ] || set -- "$@" --prefix "$prefix"
    [ -z "$yes" ] || set -- "$@" --yes
    exec sh "$workspace/install/get.sh" "$@"
}

# Prints the program's directory as an absolute path.
directory() {
    local chosen
    if [ "$scope" = system ]; then
        chosen=/usr/local/bin
    elif [ -n "$prefix" ]; then
        chosen=$prefix/bin
    elif [ -n "$(sudo_user)" ]; then
        fail "sudo would install it only for root. Run this without sudo, or add --system"
    elif [ -n "${XDG_BIN_HOME:-}" ]; then
        chosen=$XDG_BIN_HOME
    elif [ -n "${HOME:-}" ]; then
        chosen=$HOME/.local/bin
    else
        fail "HOME is not set, so your directory is unknown. Set HOME, or use --prefix DIR or --system"
    fi
    case $chosen in
    /*) echo "$chosen" ;;
    *) echo "$PWD/$chosen" ;;
    esac
}

# Prints the directory for manual and completions.
share() {
    if [ "$scope" = system ]; then
        echo /usr/local/share
    elif [ -n "$prefix" ]; then
        echo "${directory%/bin}/share"
    elif [[ ${XDG_DATA_HOME:-} == /* ]]; then
        echo "$XDG_DATA_HOME"
    elif [ -n "${HOME:-}" ]; then
        echo "$HOME/.local/share"
    else
        echo "$(dirname "$directory")/share"
    fi
}

# Installs each completion where its shell finds it. PowerShell has no such directory.
install_documents() {
    local completions=$workspace/install/completions share page
    share=$(share)
    for page in "$workspace"/install/man/*.1; do
        install_document "$page" "$share/man/man1/${page##*/}"
    done
    install_document "$completions/$program.bash" "$share/bash-completion/completions/$program"
    install_document "$completions/$program.elv" "$share/elvish/lib/$program.elv"
    install_document "$completions/$program.fish" "$share/fish/vendor_completions.d/$program.fish"
    install_document "$completions/_$program" "$share/zsh/site-functions/_$program"
}

install_document() {
    privileged mkdir -p "${2%/*}"
    privileged install -m 0644 "$1" "$2"
}

# Also removes files of other versions. Directories stay, because other programs may use them.
remove_documents() {
    local share document
    share=$(share)
    for document in "$share/man/man1/$program.1" "$share/man/man1/$program"-*.1 \
        "$share/bash-completion/completions/$program" "$share/elvish/lib/$program.elv" \
        "$share/fish/vendor_completions.d/$program.fish" "$share/zsh/site-functions/_$program"; do
        [ ! -e "$document" ] || privileged rm "$document"
    done
}

# Prints the user who called sudo, or nothing.
sudo_user() {
    [ "$(id -u)" != 0 ] || [ "${SUDO_USER:-root}" = root ] || echo "$SUDO_USER"
}

# Under sudo, runs this script as the user and not as root, so that cargo's files belong to the user.
as_invoker() {
    local user
    user=$(sudo_user)
    set -- bash "$workspace/install/install.sh" "$@"
    if [ -n "$user" ]; then set -- sudo -H -u "$user" -- "$@"; fi
    "$@"
}

check() {
    find_cargo
    require_nothing "$(missing_to_build)"
}

# Builds the program and prints its path.
build() {
    find_cargo
    cd "$workspace"
    cargo build --release --locked --bin "$program" --message-format json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}

# sudo and desktops often leave rustup's directory out of PATH.
find_cargo() {
    command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin
}

# Prints a line for each missing requirement.
missing_to_build() {
    local needed found
    needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$workspace/Cargo.toml")
    if ! command -v cargo >/dev/null; then
        echo "cargo, Rust $needed or newer: $(how_to_get_rust)"
    elif ! found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || [ -z "$found" ]; then
        echo "a cargo that works (\`cargo --version\` fails): rustup default stable"
    elif ! printf '%s\n' "$needed" "$found" | sort -V -C; then
        echo "a newer cargo, Rust $needed or newer (this is $found): rustup update stable, or $(how_to_get_rust)"
    fi
    if ! command -v cc >/dev/null; then
        echo "a C compiler, cc: apt-get install gcc libc6-dev (Debian, Ubuntu), dnf install gcc (Fedora), xcode-select --install (macOS)"
    elif ! echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1; then
        echo "C headers (cc does not find stdlib.h): apt-get install libc6-dev (Debian, Ubuntu), dnf install glibc-devel (Fedora), xcode-select --install (macOS)"
    fi
}

how_to_get_rust() {
    # For a name that other packages only mention, apt-cache succeeds and shows nothing.
    if command -v apt-cache >/dev/null && [ -n "$(apt-cache show rustup 2>/dev/null)" ]; then
        echo "apt-get install rustup && rustup default stable"
    else
        echo "install rustup (https://rustup.rs)"
    fi
}

require_nothing() {
    [ -z "$1" ] || fail "missing:
$(printf '%s\n' "$1" | sed 's/^/  - /')"
}

# Prints why the program cannot be installed into the directory, if so.
unfit_directory() {
    local place=$directory
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    if [ ! -d "$place" ]; then
        echo "a directory: $place is a file"
    elif [ ! -w "$place" ] && ! may_use_sudo; then
        echo "the permission to write to $place: run this as its owner, or choose another directory (--prefix DIR)"
    fi
}

may_use_sudo() {
    [ "$scope" = system ] && [ "$(id -u)" != 0 ] && command -v sudo >/dev/null
}

# Runs a command with the rights that the directory requires.
privileged() {
    if may_use_sudo; then
        echo "+ sudo $*" >&2
        sudo "$@"
    else
        "$@"
    fi
}

# A running program cannot be overwritten, but another file can replace it.
replace() {
    local built=$1
    unfinished=$directory/.$program.$$
    trap 'rm -f "$unfinished" 2>/dev/null || privileged rm -f "$unfinished"' EXIT
    privileged mkdir -p "$directory"
    privileged install -m 0755 "$built" "$unfinished"
    privileged mv -f "$unfinished" "$directory/$program"
    trap - EXIT
}

warn_about_path() {
    local first
    if ! is_on_path "$directory"; then
        echo "Warning: $directory is not on your PATH, so clients will not find the program. Run this now, and add it to ~/.profile:"
        echo "    export PATH=\"$directory:\$PATH\""
    fi
    first=$(type -P "$program" || true)
    if [ -n "$first" ] && [ ! "$first" -ef "$directory/$program" ]; then
        echo "Warning: clients will find $first first. Remove it, or put $directory first on your PATH."
    fi
}

# zsh's default path for functions has no directory in the home directory.
explain_zsh_completion() {
    [ "$scope" = user ] && [[ ${SHELL:-} == */zsh ]] || return 0
    echo "For completion in zsh, add to ~/.zshrc before compinit:  fpath=(\"$(share)/zsh/site-functions\" \$fpath)"
}

is_on_path() {
    local entries entry
    IFS=: read -r -a entries <<<"$PATH"
    for entry in "${entries[@]}"; do
        [ ! "$entry" -ef "$1" ] || return 0
    done
    return 1
}

next_step() {
    cat <<'END'
Next:
    docker-credential-icr login                             log in to all registries
    docker-credential-icr configure --registry us.icr.io    add this helper to Docker and Podman
END
}

main "$@"
