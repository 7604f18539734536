# shellcheck shell=bash disable=SC2329  # functions are called through "part"
# Prints what a command printed as "@@ file NAME", the text, "@@ status N"; on
# standard error, "@@ file NAME" and what the command had to say there.
set -o pipefail
export LC_ALL=C TZ=UTC

part() {
  local name=$1
  shift
  printf '@@ file %s\n' "$name"
  printf '@@ file %s\n' "$name" >&2
  "$@"
  printf '\n@@ status %s\n' "$?"
}

agent() { if command -v cilium-dbg >/dev/null; then cilium-dbg "$@"; else cilium "$@"; fi; }
version() { agent version | awk '{ print $1, $2 }'; }
keys_in_use() {
  agent encrypt status -o json | tr -d ' \n' |
    sed 's/.*\("keys-in-use":[0-9]*\).*/{"ipsec":{\1}}/'
}
counters() { cat /proc/net/xfrm_stat | awk '$2'; }
