"""Serves one connection on an event loop."""
import asyncio
import sys


async def main():
    done = asyncio.Event()

    async def serve(reader, writer):
        while block := await reader.read(16384):
            writer.write(block)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        done.set()

    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1])):
        await done.wait()


asyncio.run(main())
