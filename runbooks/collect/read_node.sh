# shellcheck shell=bash disable=SC2329  # functions are called through "part"
# Reads one node from inside its agent's container. Argument: full, brief for a
# second sample, or policies for the same with the policies. Every part is "@@ file NAME", what a command printed, and
# "@@ status N" with its exit status; on standard error, "@@ file NAME" and what
# the command had to say there.
#
# Keys live in variables and pipes of this shell only, never in a file or in a
# command's arguments, and leave the node as SHA-256 of their printed form.
export LC_ALL=C TZ=UTC

part() {
  local name=$1
  shift
  printf '@@ file %s\n' "$name"
  printf '@@ file %s\n' "$name" >&2
  "$@"
  printf '\n@@ status %s\n' "$?"
}

# Each distinct key, its hash behind it. Anything long in hexadecimal is a key.
hashes() {
  awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^0x[0-9a-fA-F]+$/ && length($i) > 12) print $i }' |
    sort -u |
    while read -r key; do
      hash=$(printf %s "$key" | sha256sum)
      printf '@key %s %s\n' "$key" "${hash%% *}"
    done
}

hide_keys() {
  awk '
    $1 == "@key" { hash[$2] = $3; next }
    {
      for (i = 1; i <= NF; i++)
        if ($i ~ /^0x[0-9a-fA-F]+$/ && length($i) > 12) {
          at = index($0, $i)
          shown = (hash[$i] != "") ? "[hash:" hash[$i] "]" : "<<Keys hidden>>"
          $0 = substr($0, 1, at - 1) shown substr($0, at + length($i))
        }
      print
    }'
}

states() {
  local dump status
  dump=$(ip -s xfrm state)
  status=$?
  if [ "$1" = full ]; then
    { printf '%s\n' "$dump" | hashes; printf '%s\n' "$dump"; } | hide_keys
  else
    printf '%s\n' "$dump" | hide_keys
  fi
  return "$status"
}

agent() { if command -v cilium-dbg >/dev/null; then cilium-dbg "$@"; else cilium "$@"; fi; }

# One line says whether the agent reaches its key-value store.
store_status() { agent status | sed -n '/^KVStore:/p'; }

part date date +%s.%N
part ip--s-xfrm-state states "$1"
part cat--proc-net-xfrm_stat cat /proc/net/xfrm_stat
[ "$1" = policies ] && part ip--s-xfrm-policy ip -s xfrm policy
[ "$1" = full ] || exit 0
part cat--proc-sys-kernel-random-boot_id cat /proc/sys/kernel/random/boot_id
part ip--s-xfrm-policy ip -s xfrm policy
part hostname hostname
part ip-a ip a
part cilium-dbg-encrypt-status--o-json agent encrypt status -o json
part cilium-dbg-version agent version
part cilium-dbg-status store_status
exit 0
