"""``house page``: the house in a browser."""

from __future__ import annotations

import asyncio

from house.cli.output import Output
from house.cli.place import ConfigFile, config_file, person

LISTEN = "127.0.0.1:8710"


def page(*, listen: str = LISTEN, config: ConfigFile = None) -> int:
    """Serve the house to browsers until told to stop. [console] of the configuration says who may look and who may act:
    `midflight console token NAME` makes a token.

    Parameters
    ----------
    listen
        HOST:PORT; with port 0 it takes a free one, and prints it.
    """
    from house.web.site import SITE  # a web server, which no other command needs
    from house.web.visitor import visiting
    from midflight.web import serve

    file, who, out = config_file(config), person(), Output()
    asyncio.run(serve(lambda: SITE, lambda: visiting(file, who), file, listen, lambda url: out.say(f"page: {url}")))
    return 0
