%% Serves one connection: sends back what comes, until end of file.
main([Port, Backend]) ->
    Options = [{inet_backend, list_to_atom(Backend)}, binary, {active, false}, {reuseaddr, true},
               {ip, {127, 0, 0, 1}}],
    {ok, Listener} = gen_tcp:listen(list_to_integer(Port), Options),
    {ok, Connection} = gen_tcp:accept(Listener),
    serve(Connection).

serve(Connection) ->
    case gen_tcp:recv(Connection, 0) of
        {ok, Block} -> ok = gen_tcp:send(Connection, Block), serve(Connection);
        {error, closed} -> ok = gen_tcp:close(Connection)
    end.
