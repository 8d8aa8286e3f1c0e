#!/usr/bin/env bash
# Does the wheel work where the checkout is not? Builds sdist and, from it, the wheel; installs the wheel and the locked
# dependencies in a fresh virtual environment; runs the commands from an empty folder with an empty home.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=$top/.venv/bin/python
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

step() { printf '   %s\n' "$*"; }

quietly() {
  "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; echo "failed: $*"; exit 1; }
}

elsewhere() {
  (cd "$scratch/empty" && env -i HOME="$scratch/home" PATH="$scratch/venv/bin:/usr/bin:/bin" LANG=C.UTF-8 TERM=dumb "$@")
}

mkdir "$scratch/home" "$scratch/empty"

step 'build sdist and wheel'
quietly "$python" -m build --no-isolation --outdir "$scratch/dist" "$top"

step 'install in a fresh environment'
quietly "$python" -m venv "$scratch/venv"
quietly "$scratch/venv/bin/python" -m pip install --require-hashes -r "$top/config/requirements/run.txt"
quietly "$scratch/venv/bin/python" -m pip install --no-deps "$scratch"/dist/*.whl
quietly "$scratch/venv/bin/python" -m pip check

step 'the wheel holds what it should, and the tests of the checkout are not in it'
elsewhere python "$top/tests/smoke/installed.py"

for command in 'rotate --help' 'rotator --help' 'rotator plugins list' 'rotator demo'; do
  step "$command"
  # shellcheck disable=SC2086  # the words of the command
  quietly elsewhere $command
  [ -s "$scratch/log" ] || { echo "silent: $command"; exit 1; }
done

left=$(find "$scratch/home" "$scratch/empty" -mindepth 1)
[ -z "$left" ] || { printf 'left behind:\n%s\n' "$left"; exit 1; }
echo 'the wheel works'
