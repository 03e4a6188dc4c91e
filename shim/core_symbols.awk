# `nm -A -P -g` of the shim's objects and of the core's -> what the shim calls in the
# core, one a line: CORE(symbol).
#
# Only functions can be reached through core_stubs.S; anything else is an error
# here, to be mended in the header that makes the shim want it.
{ of_shim = index($1, "/shim/") || index($1, "/base/") }
of_shim && $3 == "U" { wanted[$2] }
of_shim && $3 != "U" { own[$2] }
!of_shim && $3 != "U" { type[$2] = $3 }
END {
  for (symbol in wanted) {
    if (!(symbol in type) || symbol in own) continue
    if (type[symbol] !~ /^[TW]$/) {
      print "the shim uses data of the core: " symbol > "/dev/stderr"
      exit 1
    }
    print "CORE(" symbol ")" | "sort"
  }
}
