<#
.SYNOPSIS
    Builds docker-credential-icr and installs it for your user, on Windows.
.DESCRIPTION
    Installs the program in %LOCALAPPDATA%\Programs\docker-credential-icr and adds this directory to your PATH. The
    completion for PowerShell is in the same directory. Needs Rust (https://rustup.rs) and the C++ build tools of Visual Studio.
.PARAMETER Uninstall
    Removes the helper from your clients' files, after a question, and the installed files. Logins stay in the
    Credential Manager: to delete them, run `docker-credential-icr logout --all` before.
.PARAMETER Yes
    With -Uninstall, does not ask.
.EXAMPLE
    powershell -ExecutionPolicy Bypass -File install\install.ps1
#>
[CmdletBinding()]
param([switch] $Uninstall, [switch] $Yes)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$program = 'docker-credential-icr'
$workspace = Split-Path -Parent $PSScriptRoot
$directory = Join-Path $env:LOCALAPPDATA "Programs\$program"

$environment = 'HKCU:\Environment'

# The user's own PATH, without the machine's, as a list; %VARIABLES% are not expanded.
function Get-UserPath {
    $path = (Get-Item $environment).GetValue('Path', '', 'DoNotExpandEnvironmentNames')
    @($path -split ';' | Where-Object { $_ -and $_ -ne $directory })
}

function Set-UserPath([string[]] $Entries) {
    Set-ItemProperty -Path $environment -Name Path -Value ($Entries -join ';') -Type ExpandString
    # Setting a variable in this way sends a message, by which open windows see the change.
    [Environment]::SetEnvironmentVariable("$program-none", $null, 'User')
}

# Removes the helper from the files of clients, which fail without the program.
function Undo-Configure([string] $Program) {
    $changes = & $Program configure --undo --dry-run --json | Out-String
    if ($LASTEXITCODE -ne 0) { throw "cannot find out which clients use the program. Nothing was removed" }
    if (-not $changes.Contains('"changed": true')) { return }
    $question = "Remove the helper from your clients' files ('docker-credential-icr configure --undo')? [Y/n]"
    if (-not $Yes -and (Read-Host $question) -match '^\s*[nN]') {
        Write-Warning 'Clients whose files name the helper fail without it.'
        return
    }
    & $Program configure --undo
    if ($LASTEXITCODE -ne 0) { throw "the helper is still in your clients' files. Nothing was removed" }
}

if ($Uninstall) {
    $installed = Join-Path $directory "$program.exe"
    if (Test-Path $installed) {
        Write-Output "Logins stay in the Credential Manager. To delete them, run before: $program logout --all"
        Undo-Configure $installed
    }
    Set-UserPath @(Get-UserPath)
    if (Test-Path $directory) { Remove-Item -Recurse $directory }
    Write-Output "Removed $directory"
    return
}

if (-not (Get-Command cargo -ErrorAction SilentlyContinue)) {
    throw 'cargo is missing: install rustup (https://rustup.rs)'
}
Push-Location $workspace
try {
    cargo build --release --locked --bin $program
    if ($LASTEXITCODE -ne 0) { throw "cargo build failed ($LASTEXITCODE)" }
    $target = (cargo metadata --format-version 1 --no-deps --locked | ConvertFrom-Json).target_directory
}
finally { Pop-Location }

New-Item -ItemType Directory -Force $directory | Out-Null
# A running program cannot be overwritten, but it can be renamed.
$installed = Join-Path $directory "$program.exe"
if (Test-Path $installed) { Move-Item -Force $installed "$installed.old" }
Copy-Item (Join-Path $target "release\$program.exe") $installed
Remove-Item "$installed.old" -ErrorAction SilentlyContinue
Copy-Item (Join-Path $workspace "install\completions\_$program.ps1") $directory
# A function returns a list of one entry as that entry.
Set-UserPath (@(Get-UserPath) + $directory)

Write-Output "Installed $(& $installed version) as $installed; new windows will find it."
Write-Output "For completion, add to your `$PROFILE:  . '$directory\_$program.ps1'"
Write-Output @"
Next:
  $program login                             log in to all registries
  $program configure --registry us.icr.io    has docker ask it
"@
