--  Sends its standard input, block by block, and prints what comes back.
with Ada.Command_Line;         use Ada.Command_Line;
with Ada.Streams;              use Ada.Streams;
with Ada.Text_IO;
with Ada.Text_IO.Text_Streams; use Ada.Text_IO;
with GNAT.Sockets;             use GNAT.Sockets;

procedure Client is
   There      : Sock_Addr_Type;
   Connection : Socket_Type;
   Input      : constant Text_Streams.Stream_Access := Text_Streams.Stream (Standard_Input);
   Output     : constant Text_Streams.Stream_Access := Text_Streams.Stream (Standard_Output);
   Channel    : GNAT.Sockets.Stream_Access;
   Block      : Stream_Element_Array (1 .. 16_384);
   Answer     : Stream_Element_Array (1 .. 16_384);
   Length     : Stream_Element_Offset;
   Last       : Stream_Element_Offset;
begin
   There.Addr := Addresses (Get_Host_By_Name ("localhost"), 1);
   There.Port := Port_Type'Value (Argument (1));
   Create_Socket (Connection);
   Connect_Socket (Connection, There);
   Channel := Stream (Connection);
   loop
      Read (Input.all, Block, Length);
      exit when Length = 0;
      Write (Channel.all, Block (1 .. Length));
      Stream_Element_Array'Read (Channel, Answer (1 .. Length));
      Write (Output.all, Answer (1 .. Length));
   end loop;
   Shutdown_Socket (Connection, Shut_Write);
   Receive_Socket (Connection, Block, Last);
   if Last >= Block'First then
      Set_Exit_Status (Failure);
   end if;
   Close_Socket (Connection);
end Client;
