# Very many policies in yet fewer bytes: see xfrm/compact_policies.py.
/^=/ { next }
/^>/ {
  kind[kinds++] = $2 " " $3
  print
  next
}
$2 ~ /\/0$/ {
  print
  next
}
$4 != "" && kind[$1 + 0] == "out allow" && !($4 in TOLD) {
  TOLD[$4] = ++told
  print "~ " $4
}
END { print "= many " told + 0 }
