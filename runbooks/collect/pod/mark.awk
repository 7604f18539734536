# The value of a mark in eight hexadecimal digits. Older iproute2 prints it as a signed
# decimal number, and C has no 0x before 0.
function of_mark(word) {
  sub(/\/.*/, "", word)
  if (word ~ /^0x[0-9a-f]+$/ && length(word) <= 10)
    return substr("00000000" substr(word, 3), length(word) - 1)
  if (word !~ /^-?[0-9]+$/) fail("a mark is malformed")
  if (word < 0) word += 4294967296
  return sprintf("%04x%04x", int(word / 65536), word % 65536)
}
