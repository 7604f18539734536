# shellcheck shell=bash
# Asks an agent for the nodes' keys in the key-value store. Of each node's entry only
# its key ID leaves the pod: "KEY => {"EncryptionKey":7}".
export LC_ALL=C
set -o pipefail

agent() { if command -v cilium-dbg >/dev/null; then cilium-dbg "$@"; else cilium "$@"; fi; }

agent kvstore get --recursive cilium/state/nodes |
  sed -n 's/^\([^ ]*\) => .*\("EncryptionKey": *[0-9]*\).*/\1 => {\2}/p'
