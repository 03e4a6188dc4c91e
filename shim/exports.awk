# symbols.def -> the version script of libgaiter.so: the hooks and nothing else.
BEGIN { print "{ global:" }
match($0, /^(HOOK|UNBOUND|ALIAS)\(/) {
  split($0, part, /[(,)]/)
  symbol = part[1] == "ALIAS" ? part[2] : part[3]
  gsub(/ /, "", symbol)
  print "  " symbol ";"
}
END { print "local: *; };" }
