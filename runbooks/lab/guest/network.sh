# shellcheck shell=sh
# A node's devices, addresses and routes, whatever it runs on; vec0 is its wire.
# LAB_IP, LAB_NODE_IP6 and the like are told apart by little, and none is misspelled:
# shellcheck disable=SC2153,SC2154
six=
if [ -n "$LAB_NODE_IP6" ]; then
  six=y
  echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
fi
echo 1 > /proc/sys/net/ipv4/ip_forward

# Every program started here costs some 30 ms: few ip commands with many lines.
# Encrypted packets have the addresses of cilium_host outside. The one pod has a
# network namespace of its own behind a veth pair. Nobody else has the addresses of
# IPv6: nodad spares the second that asking takes.
ip netns add pod
ip -batch - << EOF
link set lo up
link set vec0 address $LAB_MAC name eth0 txqueuelen 32768
addr add $LAB_IP/24 dev eth0
link set eth0 up
link add cilium_host type dummy
addr add $LAB_CILIUM_IP/32 dev cilium_host
link set cilium_host up
link add lxc0 type veth peer name eth0 netns pod
link set lxc0 up
route add $LAB_POD_IP/32 dev lxc0
${six:+addr add $LAB_NODE_IP6/64 dev eth0 nodad}
${six:+addr add $LAB_CILIUM_IP6/128 dev cilium_host nodad}
${six:+route add $LAB_POD_IP6/128 dev lxc0}
EOF
read -r gateway_mac < /sys/class/net/lxc0/address
# Cilium's eBPF programs answer for the gateway, whatever address cilium_host has
# later; here a permanent neighbor does.
ip -n pod -batch - << EOF
link set lo up
addr add $LAB_POD_IP/32 dev eth0
link set eth0 up
route add $LAB_CILIUM_IP dev eth0 scope link
neigh add $LAB_CILIUM_IP dev eth0 lladdr $gateway_mac
route add default via $LAB_CILIUM_IP dev eth0
${six:+addr add $LAB_POD_IP6/128 dev eth0 nodad}
${six:+route add $LAB_CILIUM_IP6 dev eth0}
${six:+neigh add $LAB_CILIUM_IP6 dev eth0 lladdr $gateway_mac}
${six:+route add default via $LAB_CILIUM_IP6 dev eth0}
EOF
for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$f"; done
tc -batch - << EOF
qdisc add dev lxc0 clsact
qdisc add dev eth0 clsact
EOF
