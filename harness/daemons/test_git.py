"""git daemon: each connection becomes the standard input and output of a child that is exec'ed."""


def test_clone_and_push(serve, reach, client, processes, place, ports, folder, write, secret):
    port = ports.free()
    bare = folder("served/project")
    mine = folder("mine")
    quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
             "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

    def git(*words, cwd=mine, run=processes.run):
        return run("git", *words, cwd=cwd, environment=quiet) if run is client else \
            run(["git", *words], cwd=cwd, environment=quiet)

    git("init", "-q", "--bare", "-b", "main", cwd=bare)
    git("init", "-q", "-b", "main")
    write("mine/file", (secret + "\n") * 30_000)
    git("add", ".")
    git("commit", "-q", "-m", secret)
    serve(port, "git", "daemon", "--reuseaddr", f"--base-path={place}/served", "--export-all",
          "--enable=receive-pack", "--listen=127.0.0.1", f"--port={port}", environment=quiet)
    wire = reach(port, secret, "refs/heads/main", "git-upload-pack")
    url = f"git://localhost:{wire.port}/project"
    git("push", "-q", url, "main", run=client)
    git("clone", "-q", url, "copy", run=client)
    with open(mine + "/copy/file", encoding="ascii") as copy:
        assert copy.read() == (secret + "\n") * 30_000
    wire.prove(connections=2)
