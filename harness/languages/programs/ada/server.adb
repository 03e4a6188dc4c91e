--  Serves one connection: sends back what comes, until end of file.
with Ada.Command_Line; use Ada.Command_Line;
with Ada.Streams;      use Ada.Streams;
with GNAT.Sockets;     use GNAT.Sockets;

procedure Server is
   Here       : Sock_Addr_Type;
   Listener   : Socket_Type;
   Connection : Socket_Type;
   Block      : Stream_Element_Array (1 .. 16_384);
   Last       : Stream_Element_Offset;
   Sent       : Stream_Element_Offset;
   From       : Stream_Element_Offset;
begin
   Here.Addr := Inet_Addr ("127.0.0.1");
   Here.Port := Port_Type'Value (Argument (1));
   Create_Socket (Listener);
   Set_Socket_Option (Listener, Socket_Level, (Reuse_Address, True));
   Bind_Socket (Listener, Here);
   Listen_Socket (Listener);
   Accept_Socket (Listener, Connection, Here);
   loop
      Receive_Socket (Connection, Block, Last);
      exit when Last < Block'First;
      From := Block'First;
      while From <= Last loop
         Send_Socket (Connection, Block (From .. Last), Sent);
         From := Sent + 1;
      end loop;
   end loop;
   Close_Socket (Connection);
end Server;
