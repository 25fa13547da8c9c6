#!/usr/bin/env bash
# A Docker engine on a bare Debian machine, as root, without an init system: for CI and for locked-down labs.
#   engine.sh up      installs what is lacking, starts dockerd in the background, waits until it answers
#   engine.sh down    stops the dockerd that `up` started, by its process id
#   engine.sh status  one line; exit 0 when an engine answers
# An engine that is there already is used as it is, and never stopped. Exit codes: 0, or 111 with one line that says why.
set -euo pipefail

state=${DEADAIR_ENGINE_STATE:-/run/deadair-engine}
wait_seconds=${DEADAIR_ENGINE_WAIT:-60}
packages=(docker.io iptables nftables conntrack iproute2 mmdebstrap)

say() { printf 'engine: %s\n' "$*"; }
fail() {
  printf 'engine: %s\n' "$*" >&2
  exit 111
}
answers() { docker version --format '{{.Server.Version}}' 2>/dev/null; }
ours() { [ -s "$state/dockerd.pid" ] && [ "$(cat "/proc/$(cat "$state/dockerd.pid")/comm" 2>/dev/null)" = dockerd ]; }

install_packages() {
  local lacking=() name
  for name in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || lacking+=("$name")
  done
  # Any dockerd will do, from Debian or not; only its own package is left out then.
  if command -v dockerd >/dev/null; then lacking=("${lacking[@]/docker.io/}"); fi
  read -ra lacking <<<"${lacking[*]-}"
  ((${#lacking[@]})) || return 0
  [ "$(id -u)" = 0 ] || fail "lacks ${lacking[*]} and only root can install them: run 'apt-get install ${lacking[*]}' as root"
  command -v apt-get >/dev/null || fail "lacks ${lacking[*]} and this is not Debian: install a Docker engine by hand"
  # The package would start its daemon by itself; without an init system that fails the installation.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=1
  fi
  local code=0
  {
    DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${lacking[@]}"
  } >"$state/apt.log" 2>&1 </dev/null || code=$?
  if [ -n "$made" ]; then rm -f "$policy"; fi
  [ "$code" = 0 ] || fail "apt-get install ${lacking[*]} failed: $(grep -m1 '^E:' "$state/apt.log" || tail -1 "$state/apt.log") (all of it: $state/apt.log)"
}

up() {
  local started=$SECONDS version
  if version=$(answers); then
    say "Docker $version is there already; $(docker info --format '{{.Driver}}, {{.NCPU}} cores' 2>/dev/null)"
    return 0
  fi
  [ "$(id -u)" = 0 ] || fail "no engine answers, and only root can start one: run this as root, or start Docker and add yourself to its group"
  mkdir -p "$state"
  install_packages
  if ours; then fail "dockerd runs (pid $(cat "$state/dockerd.pid")) but does not answer: see $state/dockerd.log"; fi
  # A daemon that was killed leaves its pid file; a later process with that number would stop the new one from starting.
  rm -f /var/run/docker.pid
  (
    # A lock that the caller holds on an open file would be held by the daemon for as long as it lives.
    for open in "/proc/$BASHPID/fd/"*; do
      open=${open##*/}
      if ((open > 2)); then eval "exec $open>&-"; fi
    done
    # shellcheck disable=SC2086  # several arguments are meant
    exec setsid dockerd --log-level warn ${DEADAIR_DOCKERD_ARGS:-}
  ) >"$state/dockerd.log" 2>&1 </dev/null &
  local pid=$!
  echo "$pid" >"$state/dockerd.pid"
  for _ in $(seq $((wait_seconds * 5))); do
    if version=$(answers); then
      say "Docker $version up in $((SECONDS - started)) s, pid $pid; $(docker info --format '{{.Driver}}, {{.NCPU}} cores' 2>/dev/null)"
      return 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  local why
  why=$(grep -Ei 'failed|error|permission|cannot' "$state/dockerd.log" | tail -1 | sed -E 's/^.*msg=//' || true)
  if kill -0 "$pid" 2>/dev/null; then
    kill "$pid"
    fail "dockerd did not answer in $wait_seconds s: ${why:-no reason in its log} (log: $state/dockerd.log)"
  fi
  fail "dockerd stopped at its start: ${why:-no reason in its log} (log: $state/dockerd.log)"
}

down() {
  ours || { say "none was started here; nothing is stopped"; return 0; }
  local pid
  pid=$(cat "$state/dockerd.pid")
  kill "$pid"
  for _ in $(seq 150); do
    if ! kill -0 "$pid" 2>/dev/null; then
      rm -f "$state/dockerd.pid"
      say "stopped (pid $pid)"
      return 0
    fi
    sleep 0.2
  done
  fail "dockerd (pid $pid) did not stop in 30 s; containers that cannot be stopped are shown by 'docker ps'"
}

status() {
  local version
  if version=$(answers); then say "Docker $version answers$(ours && printf ', started here, pid %s' "$(cat "$state/dockerd.pid")" || true)"; else fail "no engine answers; start one with: docker/offline/engine.sh up"; fi
}

case ${1:-} in
  up | down | status) "$1" ;;
  *) fail "usage: engine.sh up|down|status" ;;
esac
