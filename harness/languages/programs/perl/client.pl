# Sends its standard input through Perl's own buffers, and prints what comes back.
use strict;
use warnings;
use IO::Socket::INET;

my $connection = IO::Socket::INET->new(PeerAddr => 'localhost', PeerPort => $ARGV[0]) or die $@;
binmode $_ for $connection, *STDIN, *STDOUT;
while (my $count = read(STDIN, my $block, 16384)) {
    print $connection $block;
    $connection->flush;
    read($connection, my $answer, $count) == $count or die $!;
    print $answer;
}
$connection->shutdown(1);
read($connection, my $rest, 1) == 0 or die 'more than was sent';
