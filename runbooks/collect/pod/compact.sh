# shellcheck shell=bash disable=SC2154,SC2329  # awk programs; called through "part"
# A node with one short line per state. Arguments: which sample, first or second,
# and the addresses that a state has to have one of, if not any.
#
# Keys live in variables and pipes of this shell only, never in a file or in a
# command's arguments, and leave the node as SHA-256 of their printed form.

# Hashes each argument, many at a time, for a process each takes seconds. They go
# through pipes that are kept: opening one by its number in /proc makes a new end.
hashes() {
  local keys=("$@") pipes=() paths pipe i j
  for ((i = 0; i < $# && i < 100; i++)); do
    exec {pipe}< <(:)
    pipes+=("$pipe")
  done
  for ((i = 0; i < $#; i += 100)); do
    paths=()
    for ((j = 0; j < 100 && i + j < $#; j++)); do
      printf %s "${keys[i + j]}" >"/proc/self/fd/${pipes[j]}"
      paths+=("/proc/self/fd/${pipes[j]}")
    done
    sha256sum "${paths[@]}" || return
  done
}

states() {
  local lines keys
  lines=$(ip -s xfrm state | awk -v sample="$1" -v only="${2:+ $2 }" "$dump$base64$compact") || return
  keys=$(sed -n 's/^k 0x/0x/p' <(printf '%s\n' "$lines"))
  # shellcheck disable=SC2086  # one argument for each
  { hashes $keys && printf '%s\n' "$lines"; } | awk "$base64$hashes"
}

# Interfaces of pods have no address of this scope.
addresses() {
  ip a | awk '/^[0-9]/ { name = $0; next } $1 ~ /^inet/ && /scope global/ { print name; print }'
}

part date date +%s.%N
part xfrm-compact states "$1" "$2"
part cat--proc-net-xfrm_stat counters
[ "$1" = first ] || exit 0
part cat--proc-sys-kernel-random-boot_id cat /proc/sys/kernel/random/boot_id
part ip-a addresses
part cilium-dbg-version version
part cilium-dbg-encrypt-status--o-json keys_in_use
exit 0
