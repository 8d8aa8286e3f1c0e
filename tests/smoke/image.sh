#!/usr/bin/env bash
# As much of the Dockerfile as there is without an engine: its RUN and COPY steps, in its order and in its words, below a
# scratch directory and with this machine's Python instead of the image's. Then what the last stage holds is run without
# the checkout, without a home, as a user that is not root where we are root, and asked as the health check asks.
# Not done: the base image itself, layers, the read-only root, the seccomp profile of an engine.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-$(readlink -f "$top/.venv/bin/python")}
scratch=$(mktemp -d)
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT

fail() { echo "image.sh: $*"; exit 1; }
quietly() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "failed: $*"; }; }

# Folders of the image that steps write to, below the scratch directory.
below() { sed -e "s#/opt/rotator#$scratch/opt/rotator#g; s#\(^\| \)/build#\1$scratch/build#g; s#\(^\| \)/dist#\1$scratch/dist#g" \
  -e "s#/var/lib/rotator#$scratch/var/lib/rotator#g; s#^python #$python #; s# python -m# $python -m#g"; }

mkdir -p "$scratch/src" "$scratch/opt" "$scratch/var/lib"
steps=0
while IFS= read -r line; do
  case $line in
    'COPY --from=build '*) ;;
    'COPY '*)
      read -r -a words <<<"${line#COPY }"
      to=${words[-1]}
      mkdir -p "$scratch/src/$(dirname "$to")"
      for from in "${words[@]:0:${#words[@]}-1}"; do
        [ -e "$top/$from" ] || fail "there is no $from"
        # What .dockerignore lets through is what is copied.
        grep -qxF "!$from" "$top/.dockerignore" || fail ".dockerignore keeps $from out"
        cp -a "$top/$from" "$scratch/src/$to"
      done ;;
    'RUN '*)
      steps=$((steps + 1))
      command=$(printf '%s\n' "${line#RUN }" | below)
      [ "$(id -u)" = 0 ] || command=${command//--owner=10001 --group=10001/}
      echo "   RUN ${line:4:70}…"
      quietly env -C "$scratch/src" -u PYTHONPATH -u PYTHONHOME -u VIRTUAL_ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
        bash -euc "$command" ;;
  esac
done < <(sed -e ':a' -e '/\\$/N; s/ *\\\n */ /; ta' "$top/Dockerfile" | grep -v '^#')
[ "$steps" = 3 ] || fail "expected 3 steps and did $steps: mend this script"

echo '   what runs has not even pip'
! find "$scratch/opt/rotator" -name 'pip' -path '*site-packages*' | grep -q . || fail 'pip is in what runs'
rm -rf "$scratch/src" "$scratch/build" "$scratch/dist"

run() {
  local as=()
  [ "$(id -u)" != 0 ] || as=(setpriv --reuid=10001 --regid=10001 --clear-groups --bounding-set=-all --no-new-privs)
  env -i -C "$scratch/var/lib/rotator" PATH="$scratch/opt/rotator/bin:/usr/bin:/bin" PYTHONDONTWRITEBYTECODE=1 \
    STATE_DIRECTORY="$scratch/var/lib/rotator" XDG_CACHE_HOME="$scratch/var/lib/rotator/cache" \
    XDG_STATE_HOME="$scratch/var/lib/rotator/home" "${as[@]}" "$@"
}
for command in 'rotator --help' 'rotator plugins list' 'rotator demo'; do
  echo "   $command"
  # shellcheck disable=SC2086  # the words of the command
  quietly run $command
done
echo '   the health check, without and with a daemon'
! run rotator alive 2>"$scratch/log" || fail 'it is alive without a daemon'
run "$scratch/opt/rotator/bin/python" -c \
  'import os; from pathlib import Path; from rotator.app.alive import write_heartbeat; write_heartbeat(Path(os.environ["STATE_DIRECTORY"]))'
run rotator alive || fail 'it is not alive with a heartbeat'
echo 'the steps of the image work'
