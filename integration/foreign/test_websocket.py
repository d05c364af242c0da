"""A WebSocket library speaks with itself through the gateways' tunnel and the balancers' relay."""

import asyncio
import unittest

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from roles import all_fronts


async def echo(connection):
    async for message in connection:
        if message == "dah":
            return await connection.close(4001, "sampai jumpa")
        await connection.send(message)


def refuse(connection, request):
    """A handshake that is answered with a plain answer instead of 101."""
    if request.path == "/tolak":
        return connection.respond(403, "tidak\n")


class WebSocket(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # else it tells of every slow moment
        self.server = await serve(echo, "127.0.0.1", 0, process_request=refuse, max_size=None)
        port = self.server.sockets[0].getsockname()[1]
        self.fronts = self.enterContext(all_fronts(port))

    async def asyncTearDown(self):
        self.server.close()
        await self.server.wait_closed()

    async def test_messages_of_every_kind_come_back(self):
        large = bytes(range(256)) * 8192
        for name, port in self.fronts.items():
            for compression in ["deflate", None]:
                with self.subTest(front=name, compression=compression):
                    url = f"ws://127.0.0.1:{port}/gema"
                    async with connect(url, compression=compression, max_size=None) as client:
                        for message in ["halo", "", "é" * 1000, b"\0\xff", large]:
                            await client.send(message)
                            self.assertEqual(await client.recv(), message)
                        await client.send(["sepotong ", "demi ", "sepotong"])
                        self.assertEqual(await client.recv(), "sepotong demi sepotong")
                        await (await client.ping())

    async def test_the_server_closes_with_a_code(self):
        for name, port in self.fronts.items():
            with self.subTest(front=name):
                async with connect(f"ws://127.0.0.1:{port}/") as client:
                    await client.send("dah")
                    with self.assertRaises(websockets.ConnectionClosed) as caught:
                        await client.recv()
                    self.assertEqual((caught.exception.rcvd.code, caught.exception.rcvd.reason), (4001, "sampai jumpa"))

    async def test_a_refused_handshake_is_passed_on(self):
        for name, port in self.fronts.items():
            with self.subTest(front=name):
                with self.assertRaises(websockets.InvalidStatus) as caught:
                    await connect(f"ws://127.0.0.1:{port}/tolak")
                self.assertEqual(caught.exception.response.status_code, 403)

    async def test_many_at_once(self):
        for name, port in self.fronts.items():
            with self.subTest(front=name):

                async def one(number):
                    async with connect(f"ws://127.0.0.1:{port}/") as client:
                        for turn in range(20):
                            await client.send(f"{number} {turn}")
                            self.assertEqual(await client.recv(), f"{number} {turn}")

                await asyncio.gather(*(one(number) for number in range(50)))
