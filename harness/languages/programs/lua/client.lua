-- Sends its standard input, block by block, and prints what comes back.
local connection = assert(require("socket").connect("localhost", arg[1]))
for block in function() return io.read(16384) end do
  assert(connection:send(block))
  io.write((assert(connection:receive(#block))))
end
connection:shutdown("send")
assert(select(2, connection:receive(1)) == "closed")
