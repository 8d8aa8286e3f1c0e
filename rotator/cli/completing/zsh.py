"""The script for zsh: an `_arguments` specification for each verb."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rotator.cli.completing.words import Option, Verb

_HEAD = """\
#compdef rotator rotate
# zsh completion for rotator and rotate. Written by `rotator completion zsh`.
_rotator_names() {
  local -a args found
  args=(completion "--names=$1")
  if [[ -n ${opt_args[--config]} ]]; then args+=(--config ${opt_args[--config]}); fi
  found=(${(f)"$(command rotator $args 2>/dev/null)"})
  compadd -a found
}

_rotator_verb() {
  case $1 in
"""
_TAIL = """\
  esac
}

_rotator() {
  local curcontext=$curcontext state line
  local -A opt_args
  if [[ ${words[1]:t} == rotate ]]; then _rotator_verb rotate; return; fi
  _arguments -C '--config[the config to use]:file:_files' '--state[the journal to use]:url:' '1: :->verb' '*:: :->rest'
  case $state in
    verb)
      local -a verbs
      verbs=(
%s
      )
      _describe command verbs ;;
    rest) _rotator_verb $words[1] ;;
  esac
}

if [[ $funcstack[1] == _rotator ]]; then _rotator "$@"; else compdef _rotator rotator rotate; fi
"""


def script(verbs: Sequence[Verb]) -> str:
    """The script."""
    cases = "".join(_case(verb) for verb in verbs)
    listed = "\n".join(f"        {_quoted(f'{verb.name}:{_text(verb.line)}')}" for verb in verbs)
    return _HEAD + cases + _TAIL % listed


def _case(verb: Verb) -> str:
    specs = [spec for option in verb.options for spec in _specs(option)]
    if verb.choices:
        specs.append(_quoted(f"1:word:({' '.join(verb.choices)})"))
    specs.append(_quoted(f"*:{verb.kind or 'word'}:{_action(verb.kind)}"))
    return f"    {verb.name}) _arguments {' '.join(specs)} ;;\n"


def _specs(option: Option) -> Iterator[str]:
    for name in option.names:
        value = f":{option.kind or 'word'}:{_action(option.kind, option.choices)}" if option.value else ""
        yield _quoted(f"*{name}[{_text(option.help)}]{value}")


def _action(kind: str, choices: Sequence[str] = ()) -> str:
    if choices:
        return f"({' '.join(choices)})"
    return "_files" if kind == "files" else f" _rotator_names {kind}" if kind else " "


def _text(text: str) -> str:
    """Without what has a meaning in a specification."""
    return "".join("(" if each == "[" else ")" if each == "]" else " " if each in ":\\`$%" else each for each in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
