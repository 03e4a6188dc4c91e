// Asks the name server itself (c-ares), and connects to the address: resolve.js PORT NAME
require("dns").resolve4(process.argv[3], (error, addresses) => {
  if (error) return console.log(error.code);
  require("net").connect(+process.argv[2], addresses[0]).on("connect", function () {
    console.log("connected"); this.destroy();
  }).on("error", (e) => console.log(e.code));
});
