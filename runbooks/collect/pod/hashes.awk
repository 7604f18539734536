# Puts the hashes, which come first, where the numbers of the keys are.
function fail(why) {
  print why > "/dev/stderr"
  exit 65
}
$2 ~ /^\/proc\/self\/fd\// {
  HASH[++hashed] = $1
  next
}
$1 == "k" {
  # A key that was hashed already is given as it is.
  SHA[++keys] = $2 ~ /^0x/ ? HASH[++used] : $2
  next
}
# Lines of one kind in a row are read much faster than in turns.
/^@/ {
  addresses = addresses $0 "\n"
  next
}
/^=/ {
  printf "%s", addresses
  print
  next
}
{
  if ($2 && length(SHA[$2]) != 64) fail("a key was not hashed")
  if ($3) key = substr(SHA[$2], 1, 8) substr(SHA[$3], 1, 8)
  else key = $2 ? substr(SHA[$2], 1, 16) : ""
  print $1 of_hex(key, 11) $4
}
