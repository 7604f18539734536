# One line for each state, its columns in base64: see xfrm/compact.py. The number
# of its key stands where the hash belongs, and the keys come first.
function numbered(word) {
  if (sample != "first") return 0
  if (word ~ /^\[hash:/) word = substr(word, 7, 64)
  else if (word !~ /^0x[0-9a-f]+$/) {
    hidden = 1
    return 0
  }
  if (!(word in KEY)) {
    KEY[word] = ++keys
    print "k " word
  }
  return KEY[word]
}
function position(address) {
  if (!(address in POSITION)) {
    POSITION[address] = addresses++
    print "@" address
  }
  return of(POSITION[address], 3)
}
function state(digits, number, other, times, errors) {
  if (only != "" && !index(only, " " source " ") && !index(only, " " destination " ")) return
  states++
  number = outbound ? ohi olo : hi lo
  other = outbound ? hi lo : ohi olo
  number = substr("0000000000000000" number, length(number) + 1)
  digits = of(spi * 4 + outbound * 2 + esn, 1) position(source) position(destination) \
    of_hex(substr(mark, 1, 4), 3) of(window, 3)
  if (hidden) key = other_key = 0
  digits = digits " " (other_key ? other_key " " key : key " 0") " "
  times = of(added, 6) of(used, 6)
  errors = of(outside, 6) of(replayed, 6) of(failures, 6)
  if (other ~ /[1-9a-f]/ || number !~ /^0000/ || length(packets) > 14)
    print digits of_hex(outbound ? other : number, 11) of_hex(outbound ? number : other, 11) \
      of_long(packets) times errors
  else
    print digits of_hex(number, 8) of(packets, 8) times (errors ~ /[^A]/ ? errors : "")
}
function whole() { print "= " states + 0 " " others + 0 }

# A decimal number of up to 20 digits, divided step by step.
function of_long(decimals, upper, lower, digits, i) {
  i = length(decimals) - 12
  if (i > 0) upper = substr(decimals, 1, i) + 0
  lower = substr(decimals, i > 0 ? i + 1 : 1) + 0
  for (i = 0; i < 6; i++) {
    lower += upper % 4096 * 1000000000000
    upper = int(upper / 4096)
    digits = TWO[lower % 4096] digits
    lower = int(lower / 4096)
  }
  return fit(digits, 11)
}
