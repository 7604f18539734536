# shellcheck shell=bash disable=SC2154,SC2329  # awk programs; called through "part"
# A node with one short line per state. Arguments: which sample, first or second,
# and the addresses that a state has to have one of, if not any; then nothing is
# told but states and counters.
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
  local lines line keys=() IFS=$'\n'
  lines=$(ip -s xfrm state | awk -v sample="$1" -v only="${2:+ $2 }" "$mark$dump$base64$compact") || return
  for line in $lines; do
    case $line in "k 0x"*) keys+=("${line#k }") ;; esac
  done
  { hashes "${keys[@]}" && printf '%s\n' "$lines"; } | awk "$base64$hashes"
}

# Of so many that there is one for each of many peers, only those for all addresses,
# since what blocks plain text is among them, and where the others lead.
policies() {
  local lines
  lines=$(ip xfrm policy | awk "$mark$policies") || return
  if [ "${lines##*= }" -gt 256 ]; then
    lines=$(printf '%s\n' "$lines" | awk "$led_to")
  fi
  printf '%s\n' "$lines"
}

# Interfaces of pods have no address of this scope.
addresses() {
  ip a | awk '/^[0-9]/ { name = $0; next } $1 ~ /^inet/ && /scope global/ { print name; print }'
}

part date clock
part xfrm-compact states "$1" "$2"
part cat--proc-net-xfrm_stat counters
[ "$1" = first ] && [ -z "$2" ] || exit 0
part cat--proc-sys-kernel-random-boot_id cat /proc/sys/kernel/random/boot_id
part ip-a addresses
part xfrm-policies policies
part cilium-dbg-version version
part cilium-dbg-encrypt-status--o-json keys_in_use
part cilium-dbg-status store_status
exit 0
