#!/bin/sh
# Sends this node's key line to the one who holds the pad: to every digit of a key
# a random one is added, modulo 16. Standard input: the path; the pad.
set -u
export LC_ALL=C

IFS= read -r file
exec awk '
  function padded(field,    i, digit, add, out) {
    out = ""
    field = tolower(field)
    sub(/^0x/, "", field)
    for (i = 1; i <= length(field); i++) {
      digit = index(digits, substr(field, i, 1))
      add = index(digits, substr(pad, ++used, 1))
      if (!digit || !add) exit 1
      out = out substr(digits, (digit + add - 2) % 16 + 1, 1)
    }
    return out
  }
  BEGIN { digits = "0123456789abcdef" }
  NR == FNR { pad = $1; next }
  { sub(/\r$/, "") }
  NF == 4 || NF == 5 {
    line = $1
    for (i = 2; i <= NF; i++) line = line " " (i == 3 || i == 5 ? padded($i) : $i)
    print "key-file: line " line
  }' - "$file"
