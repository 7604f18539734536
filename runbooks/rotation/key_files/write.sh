#!/bin/sh
# Replaces this node's key file in one rename. Standard input: "stage", "commit" or
# "write" for both; the path; the boot ID; the SHA-256 of the file to replace and of
# the one that replaces it; then the new file, or to commit the path that "stage"
# answered with.
set -u
export LC_ALL=C
umask 077

answer() {
  echo "key-file: $*"
  exit 0
}
sum() {
  summed=$(sha256sum) && echo "${summed%% *}"
}

IFS= read -r action
IFS= read -r file
read -r boot_id
read -r expected new
folder=${file%/*}
folder=${folder:-/}
next=
trap '[ -z "$next" ] || rm -f "$next"' EXIT
trap 'exit 1' HUP INT PIPE TERM

if [ "$action" = commit ]; then
  IFS= read -r next
  [ -f "$next" ] || answer lost
else
  next=$(mktemp "$folder/.${file##*/}.next.XXXXXX") || answer refused
  cat >"$next" || answer refused
  [ "$(sum <"$next")" = "$new" ] || answer cut
fi
[ "$(cat /proc/sys/kernel/random/boot_id)" = "$boot_id" ] || answer rebooted
[ -f "$file" ] && [ ! -L "$file" ] || answer changed
now=$(sum <"$file")
[ "$now" != "$new" ] || answer same
[ "$now" = "$expected" ] || answer changed

if [ "$action" != commit ]; then
  owner=$(stat -c %u:%g "$file") || answer refused
  chown "$owner" "$next" || answer refused
  chmod 600 "$next" || answer refused
  ! command -v chcon >/dev/null || chcon --reference="$file" "$next" 2>/dev/null || :
  sync "$next" 2>/dev/null || sync
fi
if [ "$action" = stage ]; then
  staged=$next
  next=
  answer "staged $staged"
fi
mv -f "$next" "$file" || answer refused
next=
sync "$folder" 2>/dev/null || sync
[ "$(sum <"$file")" = "$new" ] || answer changed
answer written
