#!/usr/bin/env bash
# The lab's images where no registry can be reached: bases from Debian's packages, then the same Dockerfiles as everywhere.
#   build.sh [IMAGE...]   all of them, or those named (folders of docker/); what is there and unchanged costs a second
#   build.sh --list       their names
# The host's proxy and Go module settings go into the builds; nothing else of the host does. Exit codes: 0, or 111 with a line that says why.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
docker_dir=$(dirname "$here")
root=$(dirname "$docker_dir")
logs=${DEADAIR_OFFLINE_LOGS:-/tmp/deadair-build.$UID}
jobs=${DEADAIR_BUILD_JOBS:-2}

fail() {
  printf 'build: %s\n' "$*" >&2
  exit 111
}
all() { (cd "$docker_dir" && ls -- */Dockerfile | xargs -n1 dirname); }
suites() { sed -nE 's/^FROM debian:([a-z]+)-[0-9]+-slim.*/\1/p' "$docker_dir/$1/Dockerfile" | sort -u; }

if [ "${1:-}" = --list ]; then
  all
  exit 0
fi
images=("$@")
if ((${#images[@]} == 0)); then mapfile -t images < <(all); fi
for image in "${images[@]}"; do
  [ -f "$docker_dir/$image/Dockerfile" ] || fail "$image is no image of ours: $(all | tr '\n' ' ')"
done
docker version >/dev/null 2>&1 || fail "no engine answers; start one with: docker/offline/engine.sh up"
version=$(sed -nE 's/^ *"version": *"([^"]+)".*/\1/p' "$root/package.json" | head -1)
mkdir -p "$logs"

args=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  if [ -n "${!name:-}" ]; then args+=(--build-arg "$name"); fi
done

one() {
  local image=$1 tag=deadair/$1:$version context=$docker_dir started own=() name value
  if [ "$image" = agent ]; then
    context=$root
    [ -f "$root/dist/harness/cli/main.js" ] || fail "agent: dist is not built; run: npm ci && npm run build"
  fi
  if [ "$image" = toxiproxy ] && command -v go >/dev/null; then
    for name in GOPROXY GOSUMDB; do
      value=$(go env "$name" 2>/dev/null || true)
      if [ -n "$value" ]; then own+=(--build-arg "$name=$value"); fi
    done
  fi
  # Two images may want one base: the first makes it, the second waits.
  for name in $(suites "$image"); do flock "$logs/base-$name.lock" "$here/base.sh" "$name" || return 1; done
  started=$SECONDS
  local before
  before=$(docker image inspect -f '{{.Id}}' "$tag" 2>/dev/null || true)
  DOCKER_BUILDKIT=0 docker build ${args[@]+"${args[@]}"} ${own[@]+"${own[@]}"} --label deadair.image="$image" -t "$tag" \
    -f "$docker_dir/$image/Dockerfile" "$context" >"$logs/$image.log" 2>&1 </dev/null ||
    fail "$image: $(grep -E '^(E:|npm error|go: |The command|COPY failed|unable)' "$logs/$image.log" | head -2 | tr '\n' ' ')(all of it: $logs/$image.log)"
  local now=built
  if [ "$before" = "$(docker image inspect -f '{{.Id}}' "$tag")" ]; then now=unchanged; fi
  printf 'build: %-26s %3d s, %s, %s\n' "$tag" $((SECONDS - started)) "$(docker image inspect -f '{{.Size}}' "$tag" | numfmt --to=si)B" "$now"
}

# Fetching waits for the network, unpacking for the processor: two at a time take little more than one.
each() {
  local what=$1 failed=0 running=0 item
  shift
  for item in "$@"; do
    if ((running == jobs)); then
      wait -n || failed=1
      running=$((running - 1))
    fi
    "$what" "$item" &
    running=$((running + 1))
  done
  while ((running > 0)); do
    wait -n || failed=1
    running=$((running - 1))
  done
  return $failed
}
started=$SECONDS
# An image whose first layers are another's is built after it, not beside it: the layers are then there.
first=() second=()
for image in "${images[@]}"; do
  case $image in trunk | cdr-writer) second+=("$image") ;; *) first+=("$image") ;; esac
done
each one ${first[@]+"${first[@]}"} || exit 111
each one ${second[@]+"${second[@]}"} || exit 111
printf 'build: %d images in %d s\n' "${#images[@]}" $((SECONDS - started))
