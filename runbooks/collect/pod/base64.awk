# Numbers in base64, the most significant digit first.
BEGIN {
  base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for (i = 0; i < 4096; i++) {
    TWO[i] = substr(base64, int(i / 64) + 1, 1) substr(base64, i % 64 + 1, 1)
    OF_HEX[sprintf("%03x", i)] = TWO[i]
  }
}
function fit(digits, width, surplus) {
  surplus = length(digits) - width
  if (substr(digits, 1, surplus) ~ /[^A]/) fail("a number is too large")
  return substr(digits, surplus + 1)
}
# Of up to 18 hexadecimal digits.
function of_hex(word, width, digits, i) {
  word = substr("000000000000000000" word, length(word) + 1)
  for (i = 1; i < 18; i += 3) digits = digits OF_HEX[substr(word, i, 3)]
  return fit(digits, width)
}
# Of a number below 2^53.
function of(number, width, digits) {
  while (length(digits) < width) {
    digits = TWO[number % 4096] digits
    number = int(number / 4096)
  }
  if (number) fail("a number is too large")
  return fit(digits, width)
}
