# symbols.def -> docs/symbols.md: what each hooked symbol does on a protected descriptor.
function flush_row() {
  if (symbols != "") print "| " symbols " | " what " |"
  symbols = ""
}
function add(symbol) { symbols = symbols (symbols == "" ? "" : ", ") "`" symbol "`" }
BEGIN {
  print "# Hooked symbols"
  print ""
  print "What `libgaiter.so` does with each libc function on a protected descriptor. On any other it"
  print "calls libc's own at once. Made from `shim/symbols.def`: change that, and run"
  print "`make docs/symbols.md`."
}
/^\/\/> / { flush_row(); what = substr($0, 5); next }
/^\/\/- / {
  colon = index($0, ": ")
  names = substr($0, 5, colon - 5)
  gsub(/ /, "`, `", names)
  left = left "| `" names "` | " substr($0, colon + 2) " |\n"
  next
}
/^\/\/ [a-z, ]+$/ && listed {
  flush_row()
  what = ""
  print ""
  print "## " toupper(substr($0, 4, 1)) substr($0, 5)
  print ""
  print "| symbols | on a protected descriptor |"
  print "|---|---|"
  next
}
/^$/ { listed = 1 }
match($0, /^(HOOK|UNBOUND|ALIAS)\(/) {
  split($0, part, /[(,)]/)
  symbol = part[1] == "ALIAS" ? part[2] : part[3]
  gsub(/ /, "", symbol)
  if (what == "") { print "no //> line before " symbol > "/dev/stderr"; exit 1 }
  add(symbol)
}
END {
  flush_row()
  print ""
  print "## Left to libc"
  print ""
  print "| symbols | why |"
  print "|---|---|"
  printf "%s", left
}
