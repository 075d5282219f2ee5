
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'docker-credential-icr' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'docker-credential-icr'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'docker-credential-icr' {
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('configure', 'configure', [CompletionResultType]::ParameterValue, 'Add this helper to Docker and Podman (--undo removes it)')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Diagnose problems and suggest fixes')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Copy this program into a directory')
            [CompletionResult]::new('keychain', 'keychain', [CompletionResultType]::ParameterValue, 'Move logins to another keychain')
            [CompletionResult]::new('kubelet', 'kubelet', [CompletionResultType]::ParameterValue, 'Set up this program as the kubelet''s credential provider')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in to all registries, or to those you name')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Log out and delete cached tokens')
            [CompletionResult]::new('print', 'print', [CompletionResultType]::ParameterValue, 'Print a credential for tools without helper support')
            [CompletionResult]::new('pull-secret', 'pull-secret', [CompletionResultType]::ParameterValue, 'Keep pull secrets in a Kubernetes cluster fresh')
            [CompletionResult]::new('settings', 'settings', [CompletionResultType]::ParameterValue, 'Show all settings and where they are set')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show who is logged in where, and when tokens expire')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Create, list and delete registry tokens')
            [CompletionResult]::new('whoami', 'whoami', [CompletionResultType]::ParameterValue, 'Show which identity each registry sees')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'For clients: Print the credential for a registry as JSON')
            [CompletionResult]::new('store', 'store', [CompletionResultType]::ParameterValue, 'For clients: Store a login, read as JSON from stdin')
            [CompletionResult]::new('erase', 'erase', [CompletionResultType]::ParameterValue, 'For clients: Delete the login for a registry')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'For clients: List the registries with a login as JSON')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'For clients: Print the version')
            break
        }
        'docker-credential-icr;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;configure' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Configure these registries, such as us.icr.io')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Configure all public registries; docker build without BuildKit asks for each of them')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show the changes without making them')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'List what is missing without adding it; exit with 1 if anything is')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Remove what `configure` added; moved passwords are not restored')
            [CompletionResult]::new('--migrate', '--migrate', [CompletionResultType]::ParameterName, 'Move the registries'' passwords from these files to the keychain')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace other helpers and, with --migrate, other logins in the keychain')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'Configure all users, as root: podman''s list of helpers, and /etc/skel')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;doctor' {
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report without secrets to a new file')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('--take-over', '--take-over', [CompletionResultType]::ParameterName, 'Import logins that another, older docker-credential-icr stored in the keychain')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;install' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Directory for the program; created if it is missing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;keychain' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('move', 'move', [CompletionResultType]::ParameterValue, 'Move logins to another keychain')
            break
        }
        'docker-credential-icr;keychain;move' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Keychain that stores the logins from now on')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Move only the logins of this keychain [default: all others]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be moved, and change nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;kubelet' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check the kubelet''s configuration for this program')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Print the kubelet''s configuration for this program')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Install this program as the kubelet''s credential provider')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Undo ''kubelet install''')
            break
        }
        'docker-credential-icr;kubelet;check' {
            [CompletionResult]::new('--bin-dir', '--bin-dir', [CompletionResultType]::ParameterName, 'Directory of the programs [default: that of the kubelet''s flags]')
            [CompletionResult]::new('--service-account-token', '--service-account-token', [CompletionResultType]::ParameterName, 'Try the token of a service account in this file; - is stdin')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Trusted profile that the service account''s annotation names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;kubelet;config' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registries, such as us.icr.io [default: all public ones]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Trusted profile of service accounts without an annotation')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set a variable of the program, such as ICR_SOURCE=vpc')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'Distribution whose files and flags are shown')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Print only this part')
            [CompletionResult]::new('--service-accounts', '--service-accounts', [CompletionResultType]::ParameterName, 'Exchange the tokens of pods'' service accounts for a trusted profile (Kubernetes 1.34)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;kubelet;install' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registries, such as us.icr.io [default: all public ones]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Trusted profile of service accounts without an annotation')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set a variable of the program, such as ICR_SOURCE=vpc')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'Distribution of Kubernetes [default: that of the machine]')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Root directory of the machine, if it is mounted in a container')
            [CompletionResult]::new('--min-ready-seconds', '--min-ready-seconds', [CompletionResultType]::ParameterName, 'Time for which the kubelet must run after its restart, in seconds')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'Time between two looks, in seconds')
            [CompletionResult]::new('--service-accounts', '--service-accounts', [CompletionResultType]::ParameterName, 'Exchange the tokens of pods'' service accounts for a trusted profile (Kubernetes 1.34)')
            [CompletionResult]::new('--no-restart', '--no-restart', [CompletionResultType]::ParameterName, 'Do not restart the kubelet')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Change nothing; exit with 1 if something would change')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Stay, and install again what is removed or changed')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;kubelet;uninstall' {
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Root directory of the machine, if it is mounted in a container')
            [CompletionResult]::new('--no-restart', '--no-restart', [CompletionResultType]::ParameterName, 'Do not restart the kubelet')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Stay until the process is asked to end, as a DaemonSet needs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;login' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Select the login for a profile of the settings file')
            [CompletionResult]::new('--api-key', '--api-key', [CompletionResultType]::ParameterName, 'Read the API key from a file, with `@` before its path')
            [CompletionResult]::new('--expires', '--expires', [CompletionResultType]::ParameterName, 'Days until the new API key expires [default: 90]')
            [CompletionResult]::new('--profile-id', '--profile-id', [CompletionResultType]::ParameterName, 'Assume an IAM trusted profile, by ID, CRN or name')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Account of the trusted profile, if it is not yours')
            [CompletionResult]::new('--api-key-stdin', '--api-key-stdin', [CompletionResultType]::ParameterName, 'Read the API key from stdin')
            [CompletionResult]::new('--sso', '--sso', [CompletionResultType]::ParameterName, 'Log in with a one-time passcode, which you get in any browser')
            [CompletionResult]::new('--web', '--web', [CompletionResultType]::ParameterName, 'Log in with the browser on this machine')
            [CompletionResult]::new('--from-ibmcloud', '--from-ibmcloud', [CompletionResultType]::ParameterName, 'Use the session of the IBM Cloud CLI')
            [CompletionResult]::new('--rotate', '--rotate', [CompletionResultType]::ParameterName, 'Replace the API key created by `--create-api-key`')
            [CompletionResult]::new('--create-api-key', '--create-api-key', [CompletionResultType]::ParameterName, 'Create an API key for this machine and store it instead of the session')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Replace other logins and delete expired ones without asking')
            [CompletionResult]::new('--no-configure', '--no-configure', [CompletionResultType]::ParameterName, 'Do not offer to add the helper to Docker and Podman; --yes does not, either')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;logout' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Select the login for a profile of the settings file')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Delete all logins')
            [CompletionResult]::new('--revoke', '--revoke', [CompletionResultType]::ParameterName, 'Also delete the API key created by `--create-api-key` in IAM')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Delete API keys in IAM without asking')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;print' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Output format: value, env, basic, json, docker-config or kubernetes-secret')
            [CompletionResult]::new('--credential', '--credential', [CompletionResultType]::ParameterName, 'Print another kind of credential, named by its user name')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the Kubernetes secret [default: icr-pull-secret]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the Kubernetes secret')
            [CompletionResult]::new('--reveal', '--reveal', [CompletionResultType]::ParameterName, 'Print the secret even on a terminal')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;pull-secret' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('apply', 'apply', [CompletionResultType]::ParameterValue, 'Write pull secrets, and keep them fresh with --watch')
            [CompletionResult]::new('ready', 'ready', [CompletionResultType]::ParameterValue, 'Check the file of ''apply --ready-file'', for a readiness probe')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Delete the pull secrets that apply made')
            break
        }
        'docker-credential-icr;pull-secret;apply' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registries, for example us.icr.io')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespaces of the secrets')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Use only namespaces with these labels, such as team=build')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the secrets')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig instead of the current one')
            [CompletionResult]::new('--service-account', '--service-account', [CompletionResultType]::ParameterName, 'Add the secret to the imagePullSecrets of these service accounts')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'Seconds between two looks at the cluster')
            [CompletionResult]::new('--ready-file', '--ready-file', [CompletionResultType]::ParameterName, 'File that exists while the secrets can be used')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Use all namespaces, also those that are created later')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would change, and change nothing')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Keep running, and renew the secrets')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;pull-secret;ready' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;pull-secret;remove' {
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespaces of the secrets')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Use only namespaces with these labels, such as team=build')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the secrets')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig instead of the current one')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Use all namespaces, also those that are created later')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would change, and change nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;settings' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;status' {
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Get a token for each registry, and check that the registry accepts it')
            [CompletionResult]::new('--long', '--long', [CompletionResultType]::ParameterName, 'Show all columns, with whole IDs')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing; exit with 0 if you are logged in without problems, otherwise 1')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing; exit with 0 if you are logged in without problems, otherwise 1')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;token' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Create a token: read-only and valid for 24 hours by default')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a token')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the tokens of your account, without their secrets')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the tokens of your account, without their secrets')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Delete tokens, which revokes them')
            break
        }
        'docker-credential-icr;token;add' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry, for example us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'Description in the list of tokens')
            [CompletionResult]::new('--non-expiring', '--non-expiring', [CompletionResultType]::ParameterName, 'Create a token that does not expire')
            [CompletionResult]::new('--readwrite', '--readwrite', [CompletionResultType]::ParameterName, 'Create a token that can also push')
            [CompletionResult]::new('--login', '--login', [CompletionResultType]::ParameterName, 'Store the token as the login for the registry instead of printing it')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a login of another kind without asking')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, including the token unless it is stored')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only the token')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only the token')
            [CompletionResult]::new('--reveal', '--reveal', [CompletionResultType]::ParameterName, 'Print the token even on a terminal')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;token;get' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry, for example us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--reveal', '--reveal', [CompletionResultType]::ParameterName, 'Print the token even on a terminal')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;token;list' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry, for example us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;token;ls' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry, for example us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;token;rm' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry, for example us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'ID of the account, if it is not the one of your login')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;whoami' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;get' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;store' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;erase' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;list' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;version' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, with the commit, the target and the features')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
