_docker__credential__icr() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="docker__credential__icr"
                ;;
            docker__credential__icr,completions)
                cmd="docker__credential__icr__subcmd__completions"
                ;;
            docker__credential__icr,configure)
                cmd="docker__credential__icr__subcmd__configure"
                ;;
            docker__credential__icr,doctor)
                cmd="docker__credential__icr__subcmd__doctor"
                ;;
            docker__credential__icr,erase)
                cmd="docker__credential__icr__subcmd__erase"
                ;;
            docker__credential__icr,get)
                cmd="docker__credential__icr__subcmd__get"
                ;;
            docker__credential__icr,install)
                cmd="docker__credential__icr__subcmd__install"
                ;;
            docker__credential__icr,keychain)
                cmd="docker__credential__icr__subcmd__keychain"
                ;;
            docker__credential__icr,kubelet)
                cmd="docker__credential__icr__subcmd__kubelet"
                ;;
            docker__credential__icr,list)
                cmd="docker__credential__icr__subcmd__list"
                ;;
            docker__credential__icr,login)
                cmd="docker__credential__icr__subcmd__login"
                ;;
            docker__credential__icr,logout)
                cmd="docker__credential__icr__subcmd__logout"
                ;;
            docker__credential__icr,print)
                cmd="docker__credential__icr__subcmd__print"
                ;;
            docker__credential__icr,pull-secret)
                cmd="docker__credential__icr__subcmd__pull__subcmd__secret"
                ;;
            docker__credential__icr,settings)
                cmd="docker__credential__icr__subcmd__settings"
                ;;
            docker__credential__icr,status)
                cmd="docker__credential__icr__subcmd__status"
                ;;
            docker__credential__icr,store)
                cmd="docker__credential__icr__subcmd__store"
                ;;
            docker__credential__icr,token)
                cmd="docker__credential__icr__subcmd__token"
                ;;
            docker__credential__icr,version)
                cmd="docker__credential__icr__subcmd__version"
                ;;
            docker__credential__icr,whoami)
                cmd="docker__credential__icr__subcmd__whoami"
                ;;
            docker__credential__icr__subcmd__keychain,move)
                cmd="docker__credential__icr__subcmd__keychain__subcmd__move"
                ;;
            docker__credential__icr__subcmd__kubelet,check)
                cmd="docker__credential__icr__subcmd__kubelet__subcmd__check"
                ;;
            docker__credential__icr__subcmd__kubelet,config)
                cmd="docker__credential__icr__subcmd__kubelet__subcmd__config"
                ;;
            docker__credential__icr__subcmd__kubelet,install)
                cmd="docker__credential__icr__subcmd__kubelet__subcmd__install"
                ;;
            docker__credential__icr__subcmd__kubelet,uninstall)
                cmd="docker__credential__icr__subcmd__kubelet__subcmd__uninstall"
                ;;
            docker__credential__icr__subcmd__pull__subcmd__secret,apply)
                cmd="docker__credential__icr__subcmd__pull__subcmd__secret__subcmd__apply"
                ;;
            docker__credential__icr__subcmd__pull__subcmd__secret,ready)
                cmd="docker__credential__icr__subcmd__pull__subcmd__secret__subcmd__ready"
                ;;
            docker__credential__icr__subcmd__pull__subcmd__secret,remove)
                cmd="docker__credential__icr__subcmd__pull__subcmd__secret__subcmd__remove"
                ;;
            docker__credential__icr__subcmd__token,add)
                cmd="docker__credential__icr__subcmd__token__subcmd__add"
                ;;
            docker__credential__icr__subcmd__token,get)
                cmd="docker__credential__icr__subcmd__token__subcmd__get"
                ;;
            docker__credential__icr__subcmd__token,list)
                cmd="docker__credential__icr__subcmd__token__subcmd__list"
                ;;
            docker__credential__icr__subcmd__token,ls)
                cmd="docker__credential__icr__subcmd__token__subcmd__list"
                ;;
            docker__credential__icr__subcmd__token,rm)
                cmd="docker__credential__icr__subcmd__token__subcmd__rm"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        docker__credential__icr)
            opts="-v -V -h --version --help completions configure doctor install keychain kubelet login logout print pull-secret settings status token whoami get store erase list version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__completions)
            opts="-h --help bash elvish fish powershell zsh"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__configure)
            opts="-h --registry --all --dry-run --check --undo --migrate --force --system --json --help docker podman nerdctl regctl"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -W "icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__doctor)
            opts="-h --report --json --take-over --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --report)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__erase)
            opts="-h --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__get)
            opts="-h --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__install)
            opts="-h --to --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --to)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__keychain)
            opts="-h --help move"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__keychain__subcmd__move)
            opts="-h --to --from --dry-run --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --to)
                    COMPREPLY=($(compgen -W "kernel pass systemd-creds secret-service" -- "${cur}"))
                    return 0
                    ;;
                --from)
                    COMPREPLY=($(compgen -W "kernel pass systemd-creds secret-service" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__kubelet)
            opts="-h --help check config install uninstall"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__kubelet__subcmd__check)
            opts="-h --bin-dir --service-account-token --profile --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --bin-dir)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --service-account-token)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --profile)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__kubelet__subcmd__config)
            opts="-h --registry --service-accounts --profile --env --for --only --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --profile)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --env)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --for)
                    COMPREPLY=($(compgen -W "kubeadm k3s rke2 talos microshift openshift" -- "${cur}"))
                    return 0
                    ;;
                --only)
                    COMPREPLY=($(compgen -W "config flags rbac" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__kubelet__subcmd__install)
            opts="-h --registry --service-accounts --profile --env --for --root --no-restart --check --min-ready-seconds --watch --interval --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --profile)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --env)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --for)
                    COMPREPLY=($(compgen -W "kubeadm k3s rke2 talos microshift openshift" -- "${cur}"))
                    return 0
                    ;;
                --root)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --min-ready-seconds)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__kubelet__subcmd__uninstall)
            opts="-h --root --no-restart --wait --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --root)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__list)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__login)
            opts="-h --profile --api-key-stdin --api-key --sso --web --from-ibmcloud --rotate --create-api-key --expires --profile-id --account --yes --no-configure --json --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --profile)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expires)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --profile-id)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --account)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__logout)
            opts="-h --profile --all --revoke --yes --json --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --profile)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__print)
            opts="-h --format --credential --name --namespace --reveal --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --format)
                    COMPREPLY=($(compgen -W "value env basic json docker-config kubernetes-secret" -- "${cur}"))
                    return 0
                    ;;
                --credential)
                    COMPREPLY=($(compgen -W "iambearer iamrefresh iamapikey token" -- "${cur}"))
                    return 0
                    ;;
                --name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --namespace)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__pull__subcmd__secret)
            opts="-h --help apply ready remove"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__pull__subcmd__secret__subcmd__apply)
            opts="-h --registry --namespace --all-namespaces --selector --name --context --dry-run --service-account --watch --interval --ready-file --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -W "icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io" -- "${cur}"))
                    return 0
                    ;;
                --namespace)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --selector)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --context)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --service-account)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ready-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__pull__subcmd__secret__subcmd__ready)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__pull__subcmd__secret__subcmd__remove)
            opts="-h --namespace --all-namespaces --selector --name --context --dry-run --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --namespace)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --selector)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --context)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__settings)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__status)
            opts="-q -h --check --long --quiet --json --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__store)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__token)
            opts="-h --help add get list ls rm"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__token__subcmd__add)
            opts="-q -h --registry --account --description --non-expiring --readwrite --login --force --json --quiet --reveal --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -W "icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io" -- "${cur}"))
                    return 0
                    ;;
                --account)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --description)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__token__subcmd__get)
            opts="-h --registry --account --reveal --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -W "icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io" -- "${cur}"))
                    return 0
                    ;;
                --account)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__token__subcmd__list)
            opts="-h --registry --account --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -W "icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io" -- "${cur}"))
                    return 0
                    ;;
                --account)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__token__subcmd__rm)
            opts="-h --registry --account --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --registry)
                    COMPREPLY=($(compgen -W "icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io" -- "${cur}"))
                    return 0
                    ;;
                --account)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__version)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        docker__credential__icr__subcmd__whoami)
            opts="-h --json --help icr.io private.icr.io us.icr.io private.us.icr.io uk.icr.io private.uk.icr.io de.icr.io private.de.icr.io au.icr.io private.au.icr.io jp.icr.io private.jp.icr.io jp2.icr.io private.jp2.icr.io ca.icr.io private.ca.icr.io ca2.icr.io private.ca2.icr.io br.icr.io private.br.icr.io fr2.icr.io private.fr2.icr.io es.icr.io private.es.icr.io in.icr.io private.in.icr.io in2.icr.io private.in2.icr.io cp.icr.io"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _docker__credential__icr -o nosort -o bashdefault -o default docker-credential-icr
else
    complete -F _docker__credential__icr -o bashdefault -o default docker-credential-icr
fi
