#!/bin/sh
# Looks at this node's key file. Of its keys only their number of digits leaves
# the node. Standard input: "look", or "clean" to remove what interrupted runs
# left; the path.
set -u
export LC_ALL=C

say() { echo "key-file: $*"; }
problem() {
  say "problem $*"
  exit 0
}
sum() {
  summed=$(sha256sum) && echo "${summed%% *}"
}

IFS= read -r action
IFS= read -r file
folder=${file%/*}
folder=${folder:-/}
name=${file##*/}

say "boot-id $(cat /proc/sys/kernel/random/boot_id)"
for tool in awk cat chmod chown mktemp mv readlink rm sha256sum stat sync; do
  command -v "$tool" >/dev/null || problem "tool $tool"
done
[ -x "$folder" ] || problem folder
[ "$action" != clean ] || rm -f "$folder/.$name.next."* || problem left-over
[ ! -L "$file" ] || problem "link $(readlink "$file")"
[ -e "$file" ] || problem missing
[ -f "$file" ] || problem special
[ -r "$file" ] || problem unreadable
if FILE=$(readlink -f "$file") awk '$5 == ENVIRON["FILE"] { found = 1 }
    END { exit !found }' /proc/self/mountinfo; then
  problem mounted
fi
[ -w "$folder" ] || problem read-only

before=$(sum <"$file")
# A field is shown if it can't be a key: an ID, a length, an algorithm's name.
awk '
  function shown(field, place) {
    if (place == 1) return field ~ /^[0-9]+[+]?$/ && length(field) < 6
    if (field ~ /^[0-9]+$/) return length(field) < 4
    return length(field) < 65 && field ~ /^[a-z][a-z0-9_(),-]*$/ &&
      field ~ /[g-z_(),-]/ && field !~ hex hex hex hex hex hex hex hex
  }
  function shape(field, head) {
    head = ""
    if (field ~ /^0x/) { head = "0x"; field = substr(field, 3) }
    gsub(/[0-9a-fA-F]/, "0", field)
    gsub(/[^0]/, "?", field)
    return head field
  }
  BEGIN { hex = "[0-9a-f]" }
  { sub(/\r$/, "") }
  NF {
    line = ""
    for (i = 1; i <= NF; i++) line = line " " (shown($i, i) ? $i : shape($i))
    print "key-file: line" line
  }' "$file"
say "key-sha256 $(awk '
  { sub(/\r$/, "") }
  NF {
    line = tolower($1)
    for (i = 2; i <= NF; i++) {
      field = tolower($i)
      sub(/^0x/, "", field)
      line = line " " field
    }
    print line
  }' "$file" | sum)"
say "owner $(stat -c %u:%g "$file")"
say "mode $(stat -c %a "$file")"
[ "$before" = "$(sum <"$file")" ] || problem changing
say "sha256 $before"
