# shellcheck shell=bash disable=SC2329  # functions are called through "part"
# Prints what a command printed as "@@ file NAME", the text, "@@ status N"; on
# standard error, "@@ file NAME" and what the command had to say there.
#
# What bash does by itself costs a loaded node no process.
set -fo pipefail
export LC_ALL=C TZ=UTC

part() {
  local name=$1
  shift
  printf '@@ file %s\n' "$name"
  printf '@@ file %s\n' "$name" >&2
  "$@"
  printf '\n@@ status %s\n' "$?"
}

clock() { if [ -n "$EPOCHREALTIME" ]; then echo "$EPOCHREALTIME"; else date +%s.%N; fi; }
agent() { if command -v cilium-dbg >/dev/null; then cilium-dbg "$@"; else cilium "$@"; fi; }

version() {
  local word number
  agent version | while read -r word number _; do echo "$word $number"; done
}

# One line says whether the agent reaches its key-value store.
store_status() {
  local line
  agent status | while IFS= read -r line; do
    case $line in KVStore:*) echo "${line:0:250}" ;; esac
  done
}

keys_in_use() {
  local status
  status=$(agent encrypt status -o json) || return
  [[ $status =~ \"keys-in-use\":\ *([0-9]+) ]]
  printf '{"ipsec":{"keys-in-use":%s}}' "${BASH_REMATCH[1]:-null}"
}

counters() {
  local name count
  cat /proc/net/xfrm_stat | while read -r name count; do
    [ "$count" = 0 ] || echo "$name $count"
  done
}
