(* Serves one connection: sends back what comes, until end of file. *)
open Unix

let () =
  let listener = socket PF_INET SOCK_STREAM 0 in
  setsockopt listener SO_REUSEADDR true;
  bind listener (ADDR_INET (inet_addr_loopback, int_of_string Sys.argv.(1)));
  listen listener 5;
  let connection, _ = accept listener in
  let block = Bytes.create 16384 in
  let rec serve () =
    let count = read connection block 0 16384 in
    if count > 0 then begin
      ignore (write connection block 0 count);
      serve ()
    end
  in
  serve ();
  close connection
