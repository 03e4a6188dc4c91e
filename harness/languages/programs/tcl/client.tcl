# Sends its standard input, block by block, and prints what comes back.
set connection [socket localhost [lindex $argv 0]]
foreach channel [list $connection stdin stdout] {fconfigure $channel -translation binary}
while {[set block [read stdin 16384]] ne ""} {
    puts -nonewline $connection $block
    flush $connection
    puts -nonewline [read $connection [string length $block]]
}
close $connection write
if {[read $connection] ne ""} {exit 1}
