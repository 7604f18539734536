#!/bin/sh
# First process of a node that is namespaces of this machine's own kernel: it sees
# the machine's files, and all that it writes is made of memory.
# What it is told: see runbooks/lab/node_files.py.
set -eu
export PATH="$LAB_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export HOME=/run/root TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1

mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mkdir -p /run/root /run/tmp /run/lock /run/netns /run/cilium /run/log \
  /run/etc/upper /run/etc/work /run/var/tmp
# Pods mount the key file below /etc, and the machine's own stays as it is.
mount -t overlay overlay \
  -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
# Each start is a boot: peers tell by the ID.
read -r boot_id < /proc/sys/kernel/random/uuid
echo "$boot_id" > /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
hostname "$LAB_NAME"

# shellcheck source=runbooks/lab/guest/network.sh
. "$LAB_GUEST/network.sh"
exec "$LAB_PYTHON" -m runbooks.lab.guest.daemon "$LAB_NODE_CONFIG"
