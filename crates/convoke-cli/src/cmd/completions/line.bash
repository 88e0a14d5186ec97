
# What is completed: an option, a value of one, or, from the program on, what bash completes by itself.
_convoke_line() {
    local rest=$COMP_LINE words=() word i positional=0 valued='@VALUED@'
    # What no blank stands before was only cut off at a character of COMP_WORDBREAKS, as in `local:a`.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -gt 0 && $rest != [[:blank:]]* ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#"${rest%%[![:blank:]]*}"}
        rest=${rest#"$word"}
    done

    local last=$((${#words[@]} - 1))
    local cur=${words[last]} prev=${words[last - 1]}
    if [[ ${words[1]} == run ]]; then
        for ((i = 2; i < last; i++)); do
            case ${words[i]} in
                --) positional=2 ;;
                -*) [[ $valued != *" ${words[i]} "* ]] || ((i += 1)) ;;
                *) ((positional += 1)) ;;
            esac
            [[ $positional -lt 2 ]] || return 0
        done
        # Where the program would stand; `i` is beyond the cursor where a value does.
        [[ $positional -eq 0 || $i -gt $last || $cur == -* ]] || return 0
    fi

    local COMP_WORDS=("${words[@]}") COMP_CWORD=$last
    if [[ $cur == --*=* ]]; then
        COMP_WORDS=("${words[@]:0:last}" "${cur%%=*}" "${cur#*=}") COMP_CWORD=$((last + 1))
        _convoke "$1" "${cur#*=}" "${cur%%=*}"
        [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/${cur%%=*}=}")
    else
        _convoke "$1" "$cur" "$prev"
    fi
}
