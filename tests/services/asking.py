"""Questions to a server's own interface, asked as patiently as its clients ask them."""

import base64
import json
import time
import urllib.error
import urllib.request

SECONDS = 60
BUSY = 503


def ask(address: str, content=None, login: str = ""):
    """What a server answers; content makes the question a POST.

    Prefect says 503 where SQLite refused a transaction because another one wrote meanwhile. It is
    rolled back then, and Prefect's own clients ask again; so do we.
    """
    headers = {"Content-Type": "application/json"}
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, data, headers)
    late = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refused:
            if refused.code != BUSY or time.monotonic() > late:
                raise
            refused.close()
            time.sleep(0.3)
        else:
            return json.loads(text) if text else None
