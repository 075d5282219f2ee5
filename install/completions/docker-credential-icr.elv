
use builtin;
use str;

set edit:completion:arg-completer[docker-credential-icr] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'docker-credential-icr'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'docker-credential-icr'= {
            cand -V 'Print version'
            cand -v 'Print version'
            cand --version 'Print version'
            cand -h 'Print help'
            cand --help 'Print help'
            cand completions 'Print the completions for a shell'
            cand configure 'Add this helper to Docker and Podman (--undo removes it)'
            cand doctor 'Diagnose problems and suggest fixes'
            cand install 'Copy this program into a directory'
            cand keychain 'Move logins to another keychain'
            cand kubelet 'Set up this program as the kubelet''s credential provider'
            cand login 'Log in to all registries, or to those you name'
            cand logout 'Log out and delete cached tokens'
            cand print 'Print a credential for tools without helper support'
            cand pull-secret 'Keep pull secrets in a Kubernetes cluster fresh'
            cand settings 'Show all settings and where they are set'
            cand status 'Show who is logged in where, and when tokens expire'
            cand token 'Create, list and delete registry tokens'
            cand whoami 'Show which identity each registry sees'
            cand get 'For clients: Print the credential for a registry as JSON'
            cand store 'For clients: Store a login, read as JSON from stdin'
            cand erase 'For clients: Delete the login for a registry'
            cand list 'For clients: List the registries with a login as JSON'
            cand version 'For clients: Print the version'
        }
        &'docker-credential-icr;completions'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;configure'= {
            cand --registry 'Configure these registries, such as us.icr.io'
            cand --all 'Configure all public registries; docker build without BuildKit asks for each of them'
            cand --dry-run 'Show the changes without making them'
            cand --check 'List what is missing without adding it; exit with 1 if anything is'
            cand --undo 'Remove what `configure` added; moved passwords are not restored'
            cand --migrate 'Move the registries'' passwords from these files to the keychain'
            cand --force 'Replace other helpers and, with --migrate, other logins in the keychain'
            cand --system 'Configure all users, as root: podman''s list of helpers, and /etc/skel'
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;doctor'= {
            cand --report 'Write a report without secrets to a new file'
            cand --json 'Print JSON'
            cand --take-over 'Import logins that another, older docker-credential-icr stored in the keychain'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;install'= {
            cand --to 'Directory for the program; created if it is missing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;keychain'= {
            cand -h 'Print help'
            cand --help 'Print help'
            cand move 'Move logins to another keychain'
        }
        &'docker-credential-icr;keychain;move'= {
            cand --to 'Keychain that stores the logins from now on'
            cand --from 'Move only the logins of this keychain [default: all others]'
            cand --dry-run 'Show what would be moved, and change nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;kubelet'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand check 'Check the kubelet''s configuration for this program'
            cand config 'Print the kubelet''s configuration for this program'
            cand install 'Install this program as the kubelet''s credential provider'
            cand uninstall 'Undo ''kubelet install'''
        }
        &'docker-credential-icr;kubelet;check'= {
            cand --bin-dir 'Directory of the programs [default: that of the kubelet''s flags]'
            cand --service-account-token 'Try the token of a service account in this file; - is stdin'
            cand --profile 'Trusted profile that the service account''s annotation names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;kubelet;config'= {
            cand --registry 'Registries, such as us.icr.io [default: all public ones]'
            cand --profile 'Trusted profile of service accounts without an annotation'
            cand --env 'Set a variable of the program, such as ICR_SOURCE=vpc'
            cand --for 'Distribution whose files and flags are shown'
            cand --only 'Print only this part'
            cand --service-accounts 'Exchange the tokens of pods'' service accounts for a trusted profile (Kubernetes 1.34)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;kubelet;install'= {
            cand --registry 'Registries, such as us.icr.io [default: all public ones]'
            cand --profile 'Trusted profile of service accounts without an annotation'
            cand --env 'Set a variable of the program, such as ICR_SOURCE=vpc'
            cand --for 'Distribution of Kubernetes [default: that of the machine]'
            cand --root 'Root directory of the machine, if it is mounted in a container'
            cand --min-ready-seconds 'Time for which the kubelet must run after its restart, in seconds'
            cand --interval 'Time between two looks, in seconds'
            cand --service-accounts 'Exchange the tokens of pods'' service accounts for a trusted profile (Kubernetes 1.34)'
            cand --no-restart 'Do not restart the kubelet'
            cand --check 'Change nothing; exit with 1 if something would change'
            cand --watch 'Stay, and install again what is removed or changed'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;kubelet;uninstall'= {
            cand --root 'Root directory of the machine, if it is mounted in a container'
            cand --no-restart 'Do not restart the kubelet'
            cand --wait 'Stay until the process is asked to end, as a DaemonSet needs'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;login'= {
            cand --profile 'Select the login for a profile of the settings file'
            cand --api-key 'Read the API key from a file, with `@` before its path'
            cand --expires 'Days until the new API key expires [default: 90]'
            cand --profile-id 'Assume an IAM trusted profile, by ID, CRN or name'
            cand --account 'Account of the trusted profile, if it is not yours'
            cand --api-key-stdin 'Read the API key from stdin'
            cand --sso 'Log in with a one-time passcode, which you get in any browser'
            cand --web 'Log in with the browser on this machine'
            cand --from-ibmcloud 'Use the session of the IBM Cloud CLI'
            cand --rotate 'Replace the API key created by `--create-api-key`'
            cand --create-api-key 'Create an API key for this machine and store it instead of the session'
            cand --yes 'Replace other logins and delete expired ones without asking'
            cand --no-configure 'Do not offer to add the helper to Docker and Podman; --yes does not, either'
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;logout'= {
            cand --profile 'Select the login for a profile of the settings file'
            cand --all 'Delete all logins'
            cand --revoke 'Also delete the API key created by `--create-api-key` in IAM'
            cand --yes 'Delete API keys in IAM without asking'
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;print'= {
            cand --format 'Output format: value, env, basic, json, docker-config or kubernetes-secret'
            cand --credential 'Print another kind of credential, named by its user name'
            cand --name 'Name of the Kubernetes secret [default: icr-pull-secret]'
            cand --namespace 'Namespace of the Kubernetes secret'
            cand --reveal 'Print the secret even on a terminal'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;pull-secret'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand apply 'Write pull secrets, and keep them fresh with --watch'
            cand ready 'Check the file of ''apply --ready-file'', for a readiness probe'
            cand remove 'Delete the pull secrets that apply made'
        }
        &'docker-credential-icr;pull-secret;apply'= {
            cand --registry 'Registries, for example us.icr.io'
            cand --namespace 'Namespaces of the secrets'
            cand --selector 'Use only namespaces with these labels, such as team=build'
            cand --name 'Name of the secrets'
            cand --context 'Context of the kubeconfig instead of the current one'
            cand --service-account 'Add the secret to the imagePullSecrets of these service accounts'
            cand --interval 'Seconds between two looks at the cluster'
            cand --ready-file 'File that exists while the secrets can be used'
            cand --all-namespaces 'Use all namespaces, also those that are created later'
            cand --dry-run 'Show what would change, and change nothing'
            cand --watch 'Keep running, and renew the secrets'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;pull-secret;ready'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;pull-secret;remove'= {
            cand --namespace 'Namespaces of the secrets'
            cand --selector 'Use only namespaces with these labels, such as team=build'
            cand --name 'Name of the secrets'
            cand --context 'Context of the kubeconfig instead of the current one'
            cand --all-namespaces 'Use all namespaces, also those that are created later'
            cand --dry-run 'Show what would change, and change nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;settings'= {
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;status'= {
            cand --check 'Get a token for each registry, and check that the registry accepts it'
            cand --long 'Show all columns, with whole IDs'
            cand -q 'Print nothing; exit with 0 if you are logged in without problems, otherwise 1'
            cand --quiet 'Print nothing; exit with 0 if you are logged in without problems, otherwise 1'
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;token'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand add 'Create a token: read-only and valid for 24 hours by default'
            cand get 'Print a token'
            cand list 'List the tokens of your account, without their secrets'
            cand ls 'List the tokens of your account, without their secrets'
            cand rm 'Delete tokens, which revokes them'
        }
        &'docker-credential-icr;token;add'= {
            cand --registry 'Registry, for example us.icr.io'
            cand --account 'ID of the account, if it is not the one of your login'
            cand --description 'Description in the list of tokens'
            cand --non-expiring 'Create a token that does not expire'
            cand --readwrite 'Create a token that can also push'
            cand --login 'Store the token as the login for the registry instead of printing it'
            cand --force 'Replace a login of another kind without asking'
            cand --json 'Print JSON, including the token unless it is stored'
            cand -q 'Print only the token'
            cand --quiet 'Print only the token'
            cand --reveal 'Print the token even on a terminal'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;token;get'= {
            cand --registry 'Registry, for example us.icr.io'
            cand --account 'ID of the account, if it is not the one of your login'
            cand --reveal 'Print the token even on a terminal'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;token;list'= {
            cand --registry 'Registry, for example us.icr.io'
            cand --account 'ID of the account, if it is not the one of your login'
            cand --json 'Print JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;token;ls'= {
            cand --registry 'Registry, for example us.icr.io'
            cand --account 'ID of the account, if it is not the one of your login'
            cand --json 'Print JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;token;rm'= {
            cand --registry 'Registry, for example us.icr.io'
            cand --account 'ID of the account, if it is not the one of your login'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;whoami'= {
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;get'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;store'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;erase'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;list'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;version'= {
            cand --json 'Print JSON, with the commit, the target and the features'
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
