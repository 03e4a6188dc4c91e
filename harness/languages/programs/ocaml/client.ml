(* Sends its standard input through channels over the socket, and prints what comes back. *)
let () =
  let open Unix in
  let there = gethostbyname "localhost" in
  let incoming, outgoing =
    open_connection (ADDR_INET (there.h_addr_list.(0), int_of_string Sys.argv.(1))) in
  let block = Bytes.create 16384 in
  let rec talk () =
    let length = Stdlib.input Stdlib.stdin block 0 16384 in
    if length > 0 then begin
      output outgoing block 0 length;
      flush outgoing;
      really_input incoming block 0 length;
      output Stdlib.stdout block 0 length;
      talk ()
    end
  in
  talk ();
  shutdown_connection incoming;
  if Stdlib.input incoming block 0 1 <> 0 then exit 1
