
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
            cand settings 'Print every setting that holds, and where it comes from'
            cand get 'For clients: the credential for a registry, as JSON'
            cand store 'For clients: keeps a login that comes as JSON on stdin'
            cand erase 'For clients: forgets the login for a registry'
            cand list 'For clients: registries that have a login, as JSON'
            cand version 'For clients: the version of this program'
        }
        &'docker-credential-icr;settings'= {
            cand --json 'Print JSON, whose keys stay as they are'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'docker-credential-icr;get'= {
        }
        &'docker-credential-icr;store'= {
        }
        &'docker-credential-icr;erase'= {
        }
        &'docker-credential-icr;list'= {
        }
        &'docker-credential-icr;version'= {
        }
    ]
    $completions[$command]
}
