#!/bin/sh
# First process of a node's kernel. The root file system is the host's own,
# read-only; all that a node may write is made of memory here.
# What it is told: see runbooks/lab/node_files.py.
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

# The kernel loads ciphers by itself once it knows where its modules are. All but one:
# collecting jitter takes this kernel 4 s, and its other source of entropy does.
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/lib/modules/$(uname -r)"
cat > /run/modprobe << 'EOF'
#!/bin/sh
case "$*" in *jitterentropy*) exit 1 ;; esac
exec modprobe -d /run "$@"
EOF
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe

# Pods mount the key file below /etc, which the read-only host lacks.
mount -t overlay overlay \
  -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
hostname "$LAB_NAME"
# A kernel that had to wait for a core comes back to a burst: keep all of it.
echo 32768 > /proc/sys/net/core/netdev_max_backlog
[ -z "$LAB_NODE_IP6" ] || modprobe -d /run ipv6
# What the first XFRM state needs: the kernel would fetch each on its own, two
# programs at a time.
modprobe -d /run -a xfrm_user esp4 gcm ghash_generic ctr seqiv hmac sha512_generic \
  drbg cls_u32 act_skbedit &

# shellcheck source=runbooks/lab/guest/network.sh
. "$LAB_GUEST/network.sh"
exec "$LAB_PYTHON" -m runbooks.lab.guest.daemon "$LAB_NODE_CONFIG"
