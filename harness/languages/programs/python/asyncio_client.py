"""Sends its standard input while it reads what comes back, which it prints."""
import asyncio
import sys


async def send(writer):
    while block := sys.stdin.buffer.read(16384):
        writer.write(block)
        await writer.drain()
    writer.write_eof()


async def main():
    reader, writer = await asyncio.open_connection("localhost", int(sys.argv[1]))
    sending = asyncio.create_task(send(writer))
    while block := await reader.read(16384):
        sys.stdout.buffer.write(block)
    await sending
    writer.close()
    await writer.wait_closed()


asyncio.run(main())
