# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_docker_credential_icr_global_optspecs
    string join \n v/version h/help
end

function __fish_docker_credential_icr_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_docker_credential_icr_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_docker_credential_icr_using_subcommand
    set -l cmd (__fish_docker_credential_icr_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -s v -l version -d 'Print version'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -s h -l help -d 'Print help'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "settings" -d 'Print every setting that holds, and where it comes from'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "get" -d 'For clients: the credential for a registry, as JSON'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "store" -d 'For clients: keeps a login that comes as JSON on stdin'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "erase" -d 'For clients: forgets the login for a registry'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "list" -d 'For clients: registries that have a login, as JSON'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "version" -d 'For clients: the version of this program'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand settings" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand settings" -s h -l help -d 'Print help (see more with \'--help\')'
