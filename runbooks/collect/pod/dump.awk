# Reads "ip -s xfrm state" and calls state() for each of Cilium's states. Numbers
# stay in hexadecimal where the dump has them so: awk's own are good to 2^53.
/^src / {
  finish()
  source = $2
  destination = $4
  spi = mark = window = context = hi = lo = ohi = olo = packets = added = ""
  esn = stats = outside = replayed = failures = used = key = other_key = hidden = 0
  next
}
source == "" {
  if (NF) fail("this is no dump of states")
  next
}
$1 == "proto" { for (i = 3; i < NF; i++) if ($i == "spi") spi = $(i + 1) }
$1 == "replay-window" && !stats {
  window = decimal($2)
  esn = / esn/
}
$1 == "replay-window" && stats {
  outside = decimal($2)
  replayed = decimal($4)
  failures = decimal($6)
  stats = 2
}
$1 == "stats:" { stats = 1 }
/^[ \t]*(output-)?mark / { for (i = 1; i < NF; i++) if ($i == "mark") mark = of_mark($(i + 1)) }
/^[ \t]*(aead|auth|auth-trunc|enc) / {
  other_key = key
  key = numbered($3)
}
$1 == "anti-replay" { context = $2 }
/^[ \t]*(anti-replay|seq|oseq|seq-hi|oseq-hi|replay_window) / {
  for (i = 1; i < NF; i++)
    if ($i == "seq") lo = hex($(i + 1))
    else if ($i == "oseq") olo = hex($(i + 1))
    else if ($i == "seq-hi") hi = hex($(i + 1))
    else if ($i == "oseq-hi") ohi = hex($(i + 1))
    else if ($i == "replay_window") window = decimal($(i + 1))
}
/^[ \t]*[0-9]+\(bytes\)/ {
  packets = $2
  sub(/\(.*/, "", packets)
}
$1 == "add" {
  i = $2 == "-" ? 3 : 4
  added = i == 3 ? 0 : seconds($2, $3)
  used = $(i + 1) == "-" ? 0 : seconds($(i + 1), $(i + 2))
  if ($i != "use") fail("a time is missing")
}
END {
  finish()
  if (failed) exit 65
  whole()
}

# What is wrong, in words that hold nothing of the dump: it has keys.
function fail(why) {
  if (!failed) print why " (line " NR ")" > "/dev/stderr"
  failed = 1
  exit 65
}
function hex(word) {
  sub(/[,\/].*/, "", word)
  if (word !~ /^0x[0-9a-f]+$/ || length(word) > 10) fail("a number is malformed")
  return substr("00000000" substr(word, 3), length(word) - 1)
}
function decimal(word) {
  sub(/,$/, "", word)
  if (word !~ /^[0-9]+$/) fail("a number is malformed")
  return word + 0
}
# Days are counted in years that begin in March.
function seconds(date, time, year, month) {
  if (date " " time !~ /^[0-9]+-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]$/)
    fail("a time is malformed")
  if (!(date in DAY)) {
    year = substr(date, 1, 4) + 0
    month = substr(date, 6, 2) + 0
    if (month < 3) {
      year--
      month += 12
    }
    DAY[date] = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) \
      + int((153 * month - 457) / 5) + substr(date, 9, 2) - 719469
  }
  return DAY[date] * 86400 + substr(time, 1, 2) * 3600 + substr(time, 4, 2) * 60 + substr(time, 7, 2)
}
function finish(detailed) {
  if (source == "" || failed) return
  detailed = spi ~ /\(/
  if (spi == "" || window == "" || lo == "" || olo == "" \
      || context == "esn" && (hi == "" || ohi == "") \
      || detailed && (packets == "" || added == "" || stats < 2))
    fail("a state is not complete")
  sub(/\(.*/, "", spi)
  spi = index("123456789abcdef", substr(hex(spi), 8)) * (hex(spi) ~ /^0000000/)
  outbound = substr(mark, 6, 1) == "e"
  if (spi && substr(mark, 6, 1) ~ /[de]/) state()
  else others++
}
