
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
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('configure', 'configure', [CompletionResultType]::ParameterValue, 'Switch the helper on in the files of docker and podman, or off again')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Diagnose problems and suggest fixes')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in once, for every registry or for some')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Forget logins, and every token that came from them')
            [CompletionResult]::new('print', 'print', [CompletionResultType]::ParameterValue, 'Print a credential for what cannot ask this program itself')
            [CompletionResult]::new('settings', 'settings', [CompletionResultType]::ParameterValue, 'Print every setting that holds, and where it comes from')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Print who speaks for each registry, and for how long')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Create, list and remove registry tokens')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'For clients: Print the credential for a registry as JSON')
            [CompletionResult]::new('store', 'store', [CompletionResultType]::ParameterValue, 'For clients: Store a login, read as JSON from stdin')
            [CompletionResult]::new('erase', 'erase', [CompletionResultType]::ParameterValue, 'For clients: Delete the login for a registry')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'For clients: List the registries with a login as JSON')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'For clients: Print the version')
            break
        }
        'docker-credential-icr;configure' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registries, such as us.icr.io')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Every public registry; makes a classic `docker build` slower')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would change, and change nothing')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Take out what `configure` has put in; passwords do not come back')
            [CompletionResult]::new('--migrate', '--migrate', [CompletionResultType]::ParameterName, 'Move the registries'' passwords that lie in these files into the keychain')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace other helpers, and other logins in the keychain')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;doctor' {
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report without secrets to a new file')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('--take-over', '--take-over', [CompletionResultType]::ParameterName, 'Store the logins of an older program of the same name as logins of this one')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;login' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The login of a profile in the settings file')
            [CompletionResult]::new('--api-key', '--api-key', [CompletionResultType]::ParameterName, 'Read the API key from a file; `@` stands before its path')
            [CompletionResult]::new('--expires', '--expires', [CompletionResultType]::ParameterName, 'In how many days that API key ends')
            [CompletionResult]::new('--profile-id', '--profile-id', [CompletionResultType]::ParameterName, 'Assume a trusted profile: its ID, CRN or name')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The account of a trusted profile that is named, unless it is your own')
            [CompletionResult]::new('--api-key-stdin', '--api-key-stdin', [CompletionResultType]::ParameterName, 'Read the API key from standard input, one line')
            [CompletionResult]::new('--sso', '--sso', [CompletionResultType]::ParameterName, 'Log in with a passcode that IBM Cloud shows in your browser')
            [CompletionResult]::new('--web', '--web', [CompletionResultType]::ParameterName, 'Log in with your browser')
            [CompletionResult]::new('--from-ibmcloud', '--from-ibmcloud', [CompletionResultType]::ParameterName, 'Take over the session of the IBM Cloud CLI')
            [CompletionResult]::new('--rotate', '--rotate', [CompletionResultType]::ParameterName, 'Replace the API key that this program had made by a new one')
            [CompletionResult]::new('--create-api-key', '--create-api-key', [CompletionResultType]::ParameterName, 'Keep an API key that IAM makes for this machine, not a session that ends')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Replace the login of another identity, and remove logins that are over, without asking')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;logout' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The login of a profile in the settings file')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Forget every login')
            [CompletionResult]::new('--revoke', '--revoke', [CompletionResultType]::ParameterName, 'First delete, at IAM, the API key that this program had made')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Delete API keys at IAM without asking')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;print' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print it')
            [CompletionResult]::new('--credential', '--credential', [CompletionResultType]::ParameterName, 'Another kind of credential than the settings choose, by its user name')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The name of the Kubernetes secret [default: icr-pull-secret]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the Kubernetes secret; none unless given')
            [CompletionResult]::new('--reveal', '--reveal', [CompletionResultType]::ParameterName, 'Print it even at a terminal')
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
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;token' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Make a token: read-only and for 24 hours, unless you say otherwise')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a token again')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the tokens of your account, without the tokens themselves')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the tokens of your account, without the tokens themselves')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove tokens: they open nothing any more')
            break
        }
        'docker-credential-icr;token;add' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'The registry, such as us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'What it is for, to find it again in the list')
            [CompletionResult]::new('--non-expiring', '--non-expiring', [CompletionResultType]::ParameterName, 'Let it never end')
            [CompletionResult]::new('--readwrite', '--readwrite', [CompletionResultType]::ParameterName, 'Let it push, too')
            [CompletionResult]::new('--login', '--login', [CompletionResultType]::ParameterName, 'Store it as the login for the registry, and do not print it')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Store it in the place of a login of another kind, too')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are; the token is in it, unless it is stored')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print the token alone')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print the token alone')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;token;get' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'The registry, such as us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The ID of the account, if it is not the one of your login')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;token;list' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'The registry, such as us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;token;ls' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'The registry, such as us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The ID of the account, if it is not the one of your login')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'docker-credential-icr;token;rm' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'The registry, such as us.icr.io')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The ID of the account, if it is not the one of your login')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
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
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
