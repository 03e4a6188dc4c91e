-- Serves one connection: sends back what comes, until end of file.
local socket = require("socket")
local listener = assert(socket.bind("127.0.0.1", arg[1]))
local connection = assert(listener:accept())
connection:settimeout(0)
repeat
  socket.select({connection}, nil)
  local block, problem, part = connection:receive(16384)
  connection:settimeout(30)
  assert(connection:send(block or part))
  connection:settimeout(0)
until problem == "closed"
connection:close()
