# shellcheck shell=bash disable=SC2154,SC2329  # awk programs; called through "part"
# A node in a few hundred bytes. Argument: which sample, first or second.
brief() { ip -s xfrm state | awk "$mark$dump$brief"; }

part date clock
part xfrm-brief brief
part cat--proc-net-xfrm_stat counters
[ "$1" = first ] || exit 0
part cat--proc-sys-kernel-random-boot_id cat /proc/sys/kernel/random/boot_id
part cilium-dbg-version version
part cilium-dbg-encrypt-status--o-json keys_in_use
part cilium-dbg-status store_status
exit 0
