
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
            cand -v 'Print version'
            cand --version 'Print version'
            cand -h 'Print help'
            cand --help 'Print help'
            cand configure 'Switch the helper on in the files of docker and podman, or off again'
            cand doctor 'Diagnose problems and suggest fixes'
            cand login 'Log in once, for every registry or for some'
            cand logout 'Forget logins, and every token that came from them'
            cand print 'Print a credential for what cannot ask this program itself'
            cand settings 'Print every setting that holds, and where it comes from'
            cand status 'Print who speaks for each registry, and for how long'
            cand token 'Create, list and remove registry tokens'
            cand get 'For clients: Print the credential for a registry as JSON'
            cand store 'For clients: Store a login, read as JSON from stdin'
            cand erase 'For clients: Delete the login for a registry'
            cand list 'For clients: List the registries with a login as JSON'
            cand version 'For clients: Print the version'
        }
        &'docker-credential-icr;configure'= {
            cand --registry 'Registries, such as us.icr.io'
            cand --all 'Every public registry; makes a classic `docker build` slower'
            cand --dry-run 'Show what would change, and change nothing'
            cand --undo 'Take out what `configure` has put in; passwords do not come back'
            cand --migrate 'Move the registries'' passwords that lie in these files into the keychain'
            cand --force 'Replace other helpers, and other logins in the keychain'
            cand --json 'Print JSON, whose keys stay as they are'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;doctor'= {
            cand --report 'Write a report without secrets to a new file'
            cand --json 'Print JSON'
            cand --take-over 'Store the logins of an older program of the same name as logins of this one'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;login'= {
            cand --profile 'The login of a profile in the settings file'
            cand --api-key 'Read the API key from a file; `@` stands before its path'
            cand --expires 'In how many days that API key ends'
            cand --profile-id 'Assume a trusted profile: its ID, CRN or name'
            cand --account 'The account of a trusted profile that is named, unless it is your own'
            cand --api-key-stdin 'Read the API key from standard input, one line'
            cand --sso 'Log in with a passcode that IBM Cloud shows in your browser'
            cand --web 'Log in with your browser'
            cand --from-ibmcloud 'Take over the session of the IBM Cloud CLI'
            cand --rotate 'Replace the API key that this program had made by a new one'
            cand --create-api-key 'Keep an API key that IAM makes for this machine, not a session that ends'
            cand --yes 'Replace the login of another identity, and remove logins that are over, without asking'
            cand --json 'Print JSON, whose keys stay as they are'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;logout'= {
            cand --profile 'The login of a profile in the settings file'
            cand --all 'Forget every login'
            cand --revoke 'First delete, at IAM, the API key that this program had made'
            cand --yes 'Delete API keys at IAM without asking'
            cand --json 'Print JSON, whose keys stay as they are'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;print'= {
            cand --format 'How to print it'
            cand --credential 'Another kind of credential than the settings choose, by its user name'
            cand --name 'The name of the Kubernetes secret [default: icr-pull-secret]'
            cand --namespace 'The namespace of the Kubernetes secret; none unless given'
            cand --reveal 'Print it even at a terminal'
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
            cand --json 'Print JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;token'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand add 'Make a token: read-only and for 24 hours, unless you say otherwise'
            cand get 'Print a token again'
            cand list 'List the tokens of your account, without the tokens themselves'
            cand ls 'List the tokens of your account, without the tokens themselves'
            cand rm 'Remove tokens: they open nothing any more'
        }
        &'docker-credential-icr;token;add'= {
            cand --registry 'The registry, such as us.icr.io'
            cand --account 'The ID of the account, if it is not the one of your login'
            cand --description 'What it is for, to find it again in the list'
            cand --non-expiring 'Let it never end'
            cand --readwrite 'Let it push, too'
            cand --login 'Store it as the login for the registry, and do not print it'
            cand --force 'Store it in the place of a login of another kind, too'
            cand --json 'Print JSON, whose keys stay as they are; the token is in it, unless it is stored'
            cand -q 'Print the token alone'
            cand --quiet 'Print the token alone'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;token;get'= {
            cand --registry 'The registry, such as us.icr.io'
            cand --account 'The ID of the account, if it is not the one of your login'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;token;list'= {
            cand --registry 'The registry, such as us.icr.io'
            cand --account 'The ID of the account, if it is not the one of your login'
            cand --json 'Print JSON, whose keys stay as they are'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;token;ls'= {
            cand --registry 'The registry, such as us.icr.io'
            cand --account 'The ID of the account, if it is not the one of your login'
            cand --json 'Print JSON, whose keys stay as they are'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'docker-credential-icr;token;rm'= {
            cand --registry 'The registry, such as us.icr.io'
            cand --account 'The ID of the account, if it is not the one of your login'
            cand -h 'Print help'
            cand --help 'Print help'
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
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
