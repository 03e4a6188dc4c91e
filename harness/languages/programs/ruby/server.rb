# Serves one connection in a thread: sends back what comes, until end of file.
require "socket"

TCPServer.open("127.0.0.1", ARGV[0].to_i) do |listener|
  Thread.new(listener.accept) do |connection|
    loop { connection.write(connection.readpartial(16384)) }
  rescue EOFError
    connection.close
  end.join
end
