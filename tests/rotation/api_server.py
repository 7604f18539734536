"""A fleet's API server."""

import asyncio
import socket
import threading

import yaml

from runbooks.lab.kubeapi import serve
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.objects import Target


class Api:
    """A fleet's API server, in a thread of its own."""

    def __init__(self, fleet, run):
        self.fleet = fleet
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api")
        self._thread.start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://{}:{}".format(*listener.getsockname())
        self._server = self._wait(
            serve(fleet.store, listener, fleet.credentials, run, faults=fleet.faults)
        )
        self.kubeconfig = self.write_kubeconfig(
            "admin.yaml", fleet.credentials.admin_kubeconfig(self.url)
        )

    def write_kubeconfig(self, name, content):
        path = self.fleet.folder / name
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))
        return path

    def token_kubeconfig(self, identity):
        token, _ = self.fleet.credentials.issue_token(identity)
        content = self.fleet.credentials.token_kubeconfig(self.url, token)
        return self.write_kubeconfig("token.yaml", content)

    def connect(self):
        return Cluster.connect(Target(kubeconfig=str(self.kubeconfig)))

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def close(self):
        self.fleet.faults.clear()
        self._wait(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
