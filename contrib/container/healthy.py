#!/opt/midflight/bin/python3
"""Whether the event loop of the service in this container answers: exits 0, or 1 with one line that says why not.

It asks the page /healthz at MIDFLIGHT_METRICS, else on port 9464. A service listens there only where that variable, or
`listen` below [metrics] in its configuration, says so.
"""

import http.client
import os
import sys
import urllib.request

address = os.environ.get("MIDFLIGHT_METRICS", "127.0.0.1:9464")
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    direct.open(f"http://{address}/healthz", timeout=4).close()
except (OSError, http.client.HTTPException, ValueError) as wrong:
    sys.exit(f"http://{address}/healthz: {wrong}")
