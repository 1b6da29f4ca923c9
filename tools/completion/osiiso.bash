# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of osiiso for bash.

_osiiso_backends ()
{
  command osiiso backends 2>/dev/null | sed -n '2,/^$/s/ .*//p'
}

_osiiso_settings ()
{
  command osiiso backends 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1=/p' | sort -u
}

_osiiso ()
{
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local shared='--jobs --retries --retry-delay --backoff --max-retry-delay --jitter --timeout --rate --burst
    --fail-first --halt --set --arg-file --null --delimiter --no-run-if-empty --max-args --colsep --priority-from --replace
    --keep-order --tag --joblog --resume --resume-failed --dry-run --json --progress --no-progress --verbose
    --quiet --help'
  local options valued i

  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W 'run call backends --help --version' -- "$word"))
    return
  fi
  case $command in
    run) options="$shared --output-limit --line-buffer --ungroup --shell --workdir" ;;
    call) options="$shared --backend --type" ;;
    backends) options='--json --help' ;;
    *) return ;;
  esac

  # “--halt=soon” comes as three words.
  if [ "$before" = = ]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  elif [ "$word" = = ]; then
    word=
  fi
  case $before in
    --halt) COMPREPLY=($(compgen -W 'never soon now' -- "$word")); return ;;
    --backend) COMPREPLY=($(compgen -W "$(_osiiso_backends)" -- "$word")); return ;;
    --set) COMPREPLY=($(compgen -W "$(_osiiso_settings)" -- "$word")); compopt -o nospace; return ;;
    -a|--arg-file|--joblog|--json|::::|::::+) COMPREPLY=($(compgen -f -- "$word")); compopt -o filenames; return ;;
    --workdir) COMPREPLY=($(compgen -d -- "$word")); compopt -o filenames; return ;;
    --) [ "$command" = run ] && COMPREPLY=($(compgen -c -- "$word")); return ;;
  esac

  # Where the command begins, options end.
  valued=
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [ "$valued" ] || [ "${COMP_WORDS[i]}" = = ]; then
      valued=
      continue
    fi
    case ${COMP_WORDS[i]} in
      -j|-P|-a|-n|-C|-I|-t|--jobs|--retries|--retry-delay|--backoff|--max-retry-delay|--jitter|--timeout|--rate|\
      --burst|--halt|--set|--arg-file|--delimiter|--max-args|--colsep|--priority-from|--replace|--joblog|--output-limit|\
      --workdir|--backend|--type)
        # With “=”, the value comes after that.
        [ "${COMP_WORDS[i+1]}" = = ] && ((i++))
        valued=yes
        ;;
      -*) ;;
      *) COMPREPLY=($(compgen -f -- "$word")); compopt -o filenames; return ;;
    esac
  done
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ "$command" = run ] && [ -z "$valued" ]; then
    COMPREPLY=($(compgen -c -- "$word"))
  fi
}

complete -F _osiiso osiiso
