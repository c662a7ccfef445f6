"""The gateway: what endpoints' routes mean to Envoy, and one Envoy that serves them.

How to wire it (inside the running event loop):

    plane = EnvoyDataPlane(home, host="127.0.0.1", port=8443, timeout_seconds=10.0)
    await plane.start()     # adopts a running Envoy or starts one; PortInUse and such as UserError
    ...                     # plane.publish(...), .published, .endpoints, .routed; .pid, .version,
                            # .problem for status. Envoy is restarted whenever it dies.
    await plane.detach()    # leave Envoy serving (restart of the control plane); or
    await plane.stop()      # end Envoy too (`async with plane:` is start and stop)

The control API listens on home/run/api.sock. Trust home/certs/ca.pem, or ca-bundle.pem where a
setting replaces the machine's authorities. `wrap` turns Envoy's command line into one that keeps
its output in the file `log`, bounded; Envoy's reasons for a refusal are read there.
"""

from verdazul.gateway.dataplane import EnvoyDataPlane
from verdazul.gateway.fake import FakeDataPlane

__all__ = ["EnvoyDataPlane", "FakeDataPlane"]
