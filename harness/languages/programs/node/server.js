// Serves one connection: sends back what comes, until end of file.
const listener = require("net").createServer({ allowHalfOpen: true }, (connection) => {
  listener.close();
  connection.pipe(connection);
});
listener.listen(Number(process.argv[2]), "127.0.0.1");
