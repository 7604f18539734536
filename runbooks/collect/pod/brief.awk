# What all of a node's states sum up to: see xfrm/brief.py.
function numbered(word) { return 0 }
function state(group, digits, number, i) {
  states++
  group = spi (outbound ? " out" : " in")
  digits = outbound ? ohi olo : hi lo
  for (i = 1; i <= length(digits); i++)
    number = number * 16 + index("123456789abcdef", substr(digits, i, 1))
  COUNT[group]++
  ESN[group] += esn
  OUTSIDE[group] += outside
  REPLAYED[group] += replayed
  FAILURES[group] += failures
  SUM[group] += number
  if (number > LARGEST[group]) LARGEST[group] = number
  if (outside + replayed + failures && ++FAILING[group] <= 4)
    WHICH[spi] = WHICH[spi] "! " group " " source " " destination " " \
      outside " " replayed " " failures " " added "\n"
  ADDED[spi " " added]++
  if (added > NEWEST[spi]) NEWEST[spi] = added
}
# Those that were added within half a minute are one line; the rest is the last.
function ages(spi, newest, lines, words, oldest, count, earlier, moment) {
  for (newest = NEWEST[spi]; newest != ""; newest = earlier) {
    count = 0
    earlier = ""
    lines++
    for (moment in ADDED) {
      split(moment, words, " ")
      if (words[1] != spi || words[2] + 0 > newest + 0) continue
      if (lines == 5 || words[2] > newest - 30) {
        if (!count || words[2] < oldest) oldest = words[2] + 0
        count += ADDED[moment]
      } else if (words[2] + 0 > earlier + 0) earlier = words[2] + 0
    }
    printf "* %d %.0f %.0f %d\n", spi, oldest, newest, count
  }
}
function whole(group, current) {
  for (group in COUNT)
    printf "+ %s %d %d %d %.0f %.0f %.0f %.0f %.0f\n", group, COUNT[group], ESN[group], \
      FAILING[group], OUTSIDE[group], REPLAYED[group], FAILURES[group], SUM[group], LARGEST[group]
  for (group in NEWEST) {
    if (current == "" || NEWEST[group] > NEWEST[current]) current = group
    ages(group)
  }
  if (current != "") printf "%s", WHICH[current]
  print "~ " states + 0 " " others + 0
}
