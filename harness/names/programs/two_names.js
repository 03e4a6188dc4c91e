// Two requests at once, to two names with one address: two_names.js PORT NAME NAME
for (const name of process.argv.slice(3))
  require("http").get({ host: name, port: +process.argv[2], agent: false }, (r) => {
    r.on("data", (d) => process.stdout.write(d.toString()));
  }).on("error", (e) => console.log(name, e.code));
