"""LitServe: N inference processes behind N API processes, with its queue for many requests."""

from __future__ import annotations

from serving.peer import Environment, Peer, Place

APP = """import sys

import litserve


class Score(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return request["data"]

    def predict(self, data):
        return sum(data)

    def encode_response(self, output):
        return {"sum": output}


if __name__ == "__main__":
    port, workers = int(sys.argv[1]), int(sys.argv[2])
    api = Score(api_path="/score")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers, fast_queue=True)
    server.run(host="127.0.0.1", port=port, generate_client_file=False)
"""


def command(place: Place) -> list[str]:
    """Its applications are programs."""
    return [str(place.python), "app.py", str(place.port), str(place.workers)]


PEER = Peer(
    name="litserve",
    environment=Environment("litserve", ("litserve",)),
    command=command,
    files={"app.py": APP},
    note="workers_per_device, fast_queue",
)
