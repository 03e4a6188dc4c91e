# symbols.def -> the version script of libgaiter.so: the hooks and nothing else.
BEGIN { print "{ global:" }
match($0, /^(HOOK|VARIADIC)\(/) {
  split($0, part, /[,)]/)
  gsub(/[ ]/, "", part[2])
  print "  " part[2] ";"
}
END { print "local: *; };" }
