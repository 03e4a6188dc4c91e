# Sends its standard input, block by block, and prints what comes back.
require "socket"

$stdin.binmode
$stdout.binmode
TCPSocket.open("localhost", ARGV[0].to_i) do |connection|
  while (block = $stdin.read(16384))
    connection.write(block[0, 100], block[100..])
    $stdout.write(connection.read(block.bytesize))
  end
  connection.close_write
  abort "more than was sent" unless connection.read.empty?
end
