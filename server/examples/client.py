# python3 client.py ws://127.0.0.1:1234 123 'hello from Python'
#
# Joins the group, sends it the message, and prints all that the group is sent.
# The package is Debian's python3-websockets, elsewhere: pip install websockets
import asyncio
import json
import sys

import websockets


async def main(url, group, message):
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"cmd": "add_group", "group_id": group}))
        await socket.send(json.dumps({"cmd": "send_to_group", "group_id": group, "message": message}))
        async for text in socket:
            print(text, flush=True)


asyncio.run(main(*sys.argv[1:]))
