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
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "configure" -d 'Switch the helper on in the files of docker and podman, or off again'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "doctor" -d 'Look for what is wrong, and tell what mends it'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "login" -d 'Log in once, for every registry or for some'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "logout" -d 'Forget logins, and every token that came from them'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "print" -d 'Print a credential for what cannot ask this program itself'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "settings" -d 'Print every setting that holds, and where it comes from'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "status" -d 'Print who speaks for each registry, and for how long'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "token" -d 'Make, list and remove registry tokens'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "get" -d 'For clients: the credential for a registry, as JSON'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "store" -d 'For clients: keeps a login that comes as JSON on stdin'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "erase" -d 'For clients: forgets the login for a registry'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "list" -d 'For clients: registries that have a login, as JSON'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_needs_command" -f -a "version" -d 'For clients: the version of this program'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l registry -d 'Registries, such as us.icr.io' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l all -d 'Every public registry; makes a classic `docker build` slower'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l dry-run -d 'Show what would change, and change nothing'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l undo -d 'Take out what `configure` has put in; passwords do not come back'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l migrate -d 'Move the registries\' passwords that lie in these files into the keychain'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l force -d 'Replace other helpers, and other logins in the keychain'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand configure" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand doctor" -l report -d 'Write what was found into a new file that only you can read' -r -F
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand doctor" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand doctor" -l take-over -d 'Log in with what an older program of the same name kept'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l profile -d 'The login of a profile in the settings file' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l api-key -d 'Read the API key from a file; `@` stands before its path' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l expires -d 'In how many days that API key ends' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l profile-id -d 'Assume a trusted profile: its ID, CRN or name' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l account -d 'The account of a trusted profile that is named, unless it is your own' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l api-key-stdin -d 'Read the API key from standard input, one line'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l sso -d 'Log in with a passcode that IBM Cloud shows in your browser'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l web -d 'Log in with your browser'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l from-ibmcloud -d 'Take over the session of the IBM Cloud CLI'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l rotate -d 'Replace the API key that this program had made by a new one'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l create-api-key -d 'Have IAM make an API key for this machine, and keep that instead of a session that ends'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand logout" -l profile -d 'The login of a profile in the settings file' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand logout" -l all -d 'Forget every login'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand logout" -l revoke -d 'First delete, at IAM, the API key that this program had made'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand logout" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand print" -l format -d 'How to print it' -r -f -a "value\t''
env\t''
basic\t''
json\t''
docker-config\t''
kubernetes-secret\t''"
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand print" -l credential -d 'Another kind of credential than the settings choose, by its user name' -r -f -a "iambearer\t''
iamrefresh\t''
iamapikey\t''
token\t''"
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand print" -l name -d 'The name of the Kubernetes secret [default: icr-pull-secret]' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand print" -l namespace -d 'The namespace of the Kubernetes secret; none unless given' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand print" -l reveal -d 'Print it even at a terminal'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand print" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand settings" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand settings" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand status" -l check -d 'Get a token for each registry, and ask the registry whether it takes it'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand status" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and not __fish_seen_subcommand_from add get list ls rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and not __fish_seen_subcommand_from add get list ls rm" -f -a "add" -d 'Make a token: read-only and for 24 hours, unless you say otherwise'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and not __fish_seen_subcommand_from add get list ls rm" -f -a "get" -d 'Print a token again'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and not __fish_seen_subcommand_from add get list ls rm" -f -a "list" -d 'List the tokens of your account, without the tokens themselves'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and not __fish_seen_subcommand_from add get list ls rm" -f -a "ls" -d 'List the tokens of your account, without the tokens themselves'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and not __fish_seen_subcommand_from add get list ls rm" -f -a "rm" -d 'Remove tokens: they open nothing any more'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l registry -d 'The registry, such as us.icr.io' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l account -d 'The ID of the account, if it is not the one of your login' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l description -d 'What it is for, to find it again in the list' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l non-expiring -d 'Let it never end'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l readwrite -d 'Let it push, too'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l login -d 'Store it as the login for the registry, and do not print it'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l force -d 'Store it in the place of a login of another kind, too'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -l json -d 'Print JSON, whose keys stay as they are; the token is in it, unless it is stored'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print the token alone'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from get" -l registry -d 'The registry, such as us.icr.io' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from get" -l account -d 'The ID of the account, if it is not the one of your login' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from list" -l registry -d 'The registry, such as us.icr.io' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from list" -l account -d 'The ID of the account, if it is not the one of your login' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from ls" -l registry -d 'The registry, such as us.icr.io' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from ls" -l account -d 'The ID of the account, if it is not the one of your login' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from ls" -l json -d 'Print JSON, whose keys stay as they are'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from rm" -l registry -d 'The registry, such as us.icr.io' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from rm" -l account -d 'The ID of the account, if it is not the one of your login' -r
complete -c docker-credential-icr -n "__fish_docker_credential_icr_using_subcommand token; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
