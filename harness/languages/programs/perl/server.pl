# Serves one connection: sends back what comes, until end of file.
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $@;
my $connection = $listener->accept or die $!;
while (my $count = sysread($connection, my $block, 16384)) {
    for (my $at = 0; $at < $count;) {
        $at += syswrite($connection, $block, $count - $at, $at) // die $!;
    }
}
