#!/bin/sh
# First process of a node's kernel. The root file system is the host's own,
# read-only; all that a node may write is made of memory here.
# Expects: LAB_NODE_CONFIG, LAB_PYTHON, LAB_NAME, LAB_IP, LAB_GATEWAY, LAB_POD_IP,
# LAB_CILIUM_IP, LAB_MAC; with IPv6 also LAB_NODE_IP6, LAB_POD_IP6, LAB_CILIUM_IP6 (see
# runbooks/lab/uml.py).
# They differ in little, and none is a misspelling of another:
# shellcheck disable=SC2153
set -eu
export PATH="$LAB_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export HOME=/run/root TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1

# Without root on the host, its set-uid programs belong to nobody here: a copy of
# mount(8) that isn't set-uid does the rest, once there is a place for it.
if ! mount -t tmpfs tmpfs /run 2>/dev/null; then
  "$LAB_PYTHON" -I -S -c \
    'import ctypes; ctypes.CDLL(None).mount(b"tmpfs", b"/run", b"tmpfs", 0, None)'
  mkdir /run/bin
  cp --no-preserve=mode "$(command -v mount)" /run/bin/mount
  chmod 755 /run/bin/mount
  export PATH="/run/bin:$PATH"
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /run/root /run/tmp /run/lock /run/netns /run/cilium /run/log \
  /run/lib/modules /run/etc/upper /run/etc/work /run/var/tmp
mount -t devtmpfs devtmpfs /dev 2>/dev/null || :
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
  [ -e "/dev/${link%%:*}" ] || ln -s "/proc/self/${link#*:}" "/dev/${link%%:*}"
done
mkdir -p /dev/pts && mount -t devpts -o ptmxmode=666 devpts /dev/pts || :

# The kernel loads ciphers by itself once it knows where its modules are.
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/lib/modules/$(uname -r)"
printf '#!/bin/sh\nexec modprobe -d /run "$@"\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe

# Pods mount the key file below /etc, which the read-only host lacks.
mount -t overlay overlay \
  -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
hostname "$LAB_NAME"

six=
if [ -n "$LAB_NODE_IP6" ]; then
  six=y
  modprobe -d /run ipv6
  echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
fi
# A kernel that had to wait for a core comes back to a burst: keep all of it.
echo 32768 > /proc/sys/net/core/netdev_max_backlog
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
# The gateway's address is another device's: for IPv6 nobody would answer for it.
ip -n pod -batch - << EOF
link set lo up
addr add $LAB_POD_IP/32 dev eth0
link set eth0 up
route add $LAB_CILIUM_IP dev eth0 scope link
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

exec "$LAB_PYTHON" -m runbooks.lab.guest.daemon "$LAB_NODE_CONFIG"
