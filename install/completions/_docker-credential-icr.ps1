
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
            [CompletionResult]::new('settings', 'settings', [CompletionResultType]::ParameterValue, 'Print every setting that holds, and where it comes from')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'For clients: the credential for a registry, as JSON')
            [CompletionResult]::new('store', 'store', [CompletionResultType]::ParameterValue, 'For clients: keeps a login that comes as JSON on stdin')
            [CompletionResult]::new('erase', 'erase', [CompletionResultType]::ParameterValue, 'For clients: forgets the login for a registry')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'For clients: registries that have a login, as JSON')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'For clients: the version of this program')
            break
        }
        'docker-credential-icr;settings' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, whose keys stay as they are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'docker-credential-icr;get' {
            break
        }
        'docker-credential-icr;store' {
            break
        }
        'docker-credential-icr;erase' {
            break
        }
        'docker-credential-icr;list' {
            break
        }
        'docker-credential-icr;version' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
