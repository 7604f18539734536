# One short line for each policy: see xfrm/compact_policies.py.
/^src / {
  finish()
  source = $2
  selector = $4
  direction = from = ""
  action = "allow"
  priority = templates = 0
  mark = "-"
  id = "0000"
  next
}
$1 == "dir" {
  direction = $2
  for (i = 3; i < NF; i++)
    if ($i == "action") action = $(i + 1)
    else if ($i == "priority") priority = $(i + 1)
}
# The upper half of a mark is the node ID, another one for each peer.
$1 == "mark" {
  id = of_mark($2)
  mark = "0x" substr(id, 5) "/" substr($2, index($2, "/") + 1)
  id = substr(id, 1, 4)
}
$1 == "tmpl" {
  if (templates++) line(templates - 1)
  from = $3
  to = $5
  spi = "0x0"
  level = "required"
}
$1 == "proto" {
  for (i = 3; i < NF; i++)
    if ($i == "spi") spi = $(i + 1)
    else if ($i == "reqid") reqid = $(i + 1)
    else if ($i == "mode") mode = $(i + 1)
}
$1 == "level" { level = $2 }
END {
  if (failed) exit 65
  finish()
  print "= " policies + 0
}

function fail(why) {
  if (!failed) print why " (line " NR ")" > "/dev/stderr"
  failed = 1
  exit 65
}
# Policies of sockets have no direction here.
function finish() {
  if (direction == "") return
  policies++
  line(templates)
}
# Another template of the same policy begins with a plus.
function line(which, kind) {
  kind = direction " " action " " priority " " source " " mark
  if (from != "") kind = kind " " from " " spi " " reqid " " mode " " level
  if (!(kind in KIND)) {
    KIND[kind] = kinds++
    print "> " kind
  }
  print (which > 1 ? "+" : "") KIND[kind] " " selector " " id (from == "" ? "" : " " to)
}
