"""The script for bash 4 and later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rotator.cli.completing.words import ASKED, Verb

_HEAD = """\
# bash completion for rotator and rotate. Written by `rotator completion bash`.
_rotator_names() {
  local i args=(completion "--names=$1")
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == --config ]]; then args+=(--config "${COMP_WORDS[i+1]}"); fi
  done
  command rotator "${args[@]}" 2>/dev/null
}

_rotator_kind() {
  case $1 in
    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    '') COMPREPLY=() ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(_rotator_names "$1")" -- "$2") ;;
  esac
}

_rotator() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb='' i options='' kind='' choices=''
  COMPREPLY=()
  if [[ ${COMP_WORDS[0]##*/} == rotate ]]; then verb=rotate; fi
  for ((i = 1; i < COMP_CWORD && ${#verb} == 0; i++)); do
    case ${COMP_WORDS[i]} in
      --config | --state) ((i++)) ;;
      -*) ;;
      *) verb=${COMP_WORDS[i]} ;;
    esac
  done
  case $verb in
"""
_TAIL = """\
    *) options='--config --state --debug --no-color --version --help' ;;
  esac
  case "$verb $before" in
%s
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ -z $verb ]]; then
    mapfile -t COMPREPLY < <(compgen -W '%s' -- "$word")
  elif [[ -n $choices && $before == "$verb" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
  else
    _rotator_kind "$kind" "$word"
  fi
}

complete -F _rotator rotator rotate
"""


def script(verbs: Sequence[Verb]) -> str:
    """The script."""
    cases = "".join(_case(verb) for verb in verbs)
    values = "\n".join(line for verb in verbs for line in _values(verb))
    return _HEAD + cases + _TAIL % (values, " ".join(verb.name for verb in verbs))


def _case(verb: Verb) -> str:
    options = " ".join(name for option in verb.options for name in option.names)
    kind = verb.kind if verb.kind in ASKED or verb.kind == "files" else ""
    return f"    {verb.name}) options='{options}' kind='{kind}' choices='{' '.join(verb.choices)}' ;;\n"


def _values(verb: Verb) -> Iterator[str]:
    for option in verb.options:
        if not option.value:
            continue
        pattern = "|".join(f"'{verb.name} {name}'" for name in option.names)
        if option.choices:
            words = " ".join(option.choices)
            yield f"    {pattern}) mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$word\"); return ;;"
        else:
            yield f"    {pattern}) _rotator_kind '{option.kind}' \"$word\"; return ;;"
