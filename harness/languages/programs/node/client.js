// Pipes its standard input through the connection to its standard output.
const port = Number(process.argv[2]);
const connection = require("net").connect({ port, host: "localhost" });
process.stdin.pipe(connection).pipe(process.stdout);
