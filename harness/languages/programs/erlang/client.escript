%% Sends its standard input, block by block, and prints what comes back.
main([Port, Backend]) ->
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    {ok, Connection} = gen_tcp:connect("localhost", list_to_integer(Port),
        [{inet_backend, list_to_atom(Backend)}, inet, binary, {active, false}]),
    talk(Connection).

talk(Connection) ->
    case file:read(standard_io, 16384) of
        {ok, Block} ->
            ok = gen_tcp:send(Connection, Block),
            {ok, Answer} = gen_tcp:recv(Connection, byte_size(Block)),
            ok = file:write(standard_io, Answer),
            talk(Connection);
        eof ->
            ok = gen_tcp:shutdown(Connection, write),
            {error, closed} = gen_tcp:recv(Connection, 0)
    end.
