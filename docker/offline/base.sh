#!/usr/bin/env bash
# Base images without a registry: Debian's packages as `docker pull` would have brought them.
#   base.sh SUITE...    makes debian:SUITE-<serial>-slim, the names that the Dockerfiles pin; nothing when they are there
# The host's own ways to Debian are used: its mirror, its proxy, its extra certificates. A finished base is kept as a tar file, so
# that an engine that lost its images has it back in seconds.
set -euo pipefail
cd "$(dirname "$0")"

# mmdebstrap hands a descriptor to sh as ">&N", and Debian's sh knows one digit: with the callers' locks open, N would have two.
for open in "/proc/$BASHPID/fd/"*; do
  open=${open##*/}
  if ((open > 2 && open < 255)); then eval "exec $open>&-"; fi
done

serial=$(sed -nE 's/^FROM debian:[a-z]+-([0-9]+)-slim.*/\1/p' ../*/Dockerfile | sort -u)
cache=${DEADAIR_OFFLINE_CACHE:-/var/cache/deadair-offline}

fail() {
  printf 'base: %s\n' "$*" >&2
  exit 111
}
[ "$(wc -w <<<"$serial")" = 1 ] || fail "the Dockerfiles pin more than one Debian serial: $(tr '\n' ' ' <<<"$serial")"
[ "$(id -u)" = 0 ] || fail "only root can make base images (or pull debian:<suite>-$serial-slim where a registry is reached)"
command -v mmdebstrap >/dev/null || fail "lacks mmdebstrap: docker/offline/engine.sh up installs it, or apt-get install mmdebstrap"

# The mirror that the host's apt uses; $1 is the archive's label, Debian or Debian-Security.
mirror() { apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sed -n "s/^$1 //p" | head -1; }

sources() {
  local suite=$1 main security
  main=$(mirror Debian)
  security=$(mirror Debian-Security)
  [ -n "$main" ] || fail "apt knows no Debian archive here: run apt-get update, or pull the base images from a registry"
  echo "deb $main $suite main"
  # Unstable has neither; a host without the security archive builds without it.
  if [ "$suite" != sid ]; then
    echo "deb $main $suite-updates main"
    if [ -n "$security" ]; then echo "deb $security $suite-security main"; fi
  fi
}

make_base() {
  local suite=$1 tar=$2 options=(--variant=minbase --format=tar --skip=cleanup/apt/cache --aptopt='Acquire::Retries "3"')
  local name
  # Documentation in a container is read by nobody: 30 % of the size.
  for name in man doc info locale lintian; do options+=(--dpkgopt="path-exclude=/usr/share/$name/*"); done
  options+=(--dpkgopt='path-include=/usr/share/doc/*/copyright')
  # Else bookworm pulls usrmerge, and with it all of Perl: 40 MB.
  if [ "$suite" = bookworm ]; then options+=(--include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr); fi
  # A clock ahead of the mirror's last signature makes unstable's index "expired".
  if [ "$suite" = sid ]; then options+=(--aptopt='Acquire::Check-Valid-Until "false"'); fi
  while read -r name; do [ -z "$name" ] || options+=(--aptopt="$name"); done < <(apt-config dump | grep -E '^Acquire::https?::Proxy ' | tr -d ';')
  # ca-certificates adds these when a Dockerfile installs it.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    options+=(--customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"'
      --customize-hook='cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"')
  fi
  options+=(--customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"'
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb')
  sources "$suite" | mmdebstrap "${options[@]}" "$suite" "$tar.part" - 2>"$tar.log" </dev/stdin ||
    fail "debian:$suite-$serial-slim: $(grep -m1 '^E:' "$tar.log" || tail -1 "$tar.log") (all of it: $tar.log)"
  mv "$tar.part" "$tar"
}

mkdir -p "$cache"
for suite in "$@"; do
  tag=debian:$suite-$serial-slim
  if docker image inspect "$tag" >/dev/null 2>&1; then continue; fi
  started=$SECONDS
  tar=$cache/$suite.tar
  from=cache
  if [ ! -s "$tar" ]; then
    make_base "$suite" "$tar"
    from=packages
  fi
  docker import --change 'CMD ["bash"]' --change 'LABEL deadair.base=offline' "$tar" "$tag" >/dev/null
  printf 'base: %-28s %3d s (from %s), %s\n' "$tag" $((SECONDS - started)) "$from" "$(docker image inspect -f '{{.Size}}' "$tag" | numfmt --to=si)B"
done
