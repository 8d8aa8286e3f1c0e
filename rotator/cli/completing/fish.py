"""The script for fish 3: a line for each option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rotator.cli.completing.words import Option, Verb

_HEAD = """\
# fish completion for rotator and rotate. Written by `rotator completion fish`.
function __rotator_names
    set -l words (commandline -opc)
    set -l args completion --names=$argv[1]
    if set -l at (contains -i -- --config $words); and test $at -lt (count $words)
        set -a args --config $words[(math $at + 1)]
    end
    command rotator $args 2>/dev/null
end

complete -c rotator -f
complete -c rotate -f
"""


def script(verbs: Sequence[Verb]) -> str:
    """The script."""
    return _HEAD + "".join(f"{line}\n" for verb in verbs for line in _lines(verb))


def _lines(verb: Verb) -> Iterator[str]:
    yield f"complete -c rotator -n __fish_use_subcommand -a {verb.name} -d {_quoted(verb.line)}"
    whose = [f"-c rotator -n '__fish_seen_subcommand_from {verb.name}'"]
    whose += ["-c rotate"] if verb.name == "rotate" else []
    for each in whose:
        for option in verb.options:
            yield f"complete {each} {_names(option)} -d {_quoted(option.help)}{_value(option)}"
        if verb.choices:
            yield f"complete {each} -a '{' '.join(verb.choices)}'"
        if verb.kind == "files":
            yield f"complete {each} -F"
        elif verb.kind:
            yield f"complete {each} -a '(__rotator_names {verb.kind})'"


def _names(option: Option) -> str:
    return " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)


def _value(option: Option) -> str:
    if not option.value:
        return ""
    if option.choices:
        return f" -x -a '{' '.join(option.choices)}'"
    return " -r -F" if option.kind == "files" else f" -x -a '(__rotator_names {option.kind})'" if option.kind else " -x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
