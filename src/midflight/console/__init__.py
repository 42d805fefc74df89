"""The fleet in a browser: ``midflight console``.

It asks the conductors as the command line does (``upgrade/operator.py``), once a second at most and once for all
browsers, and opens no database. ``midflight.web`` is what its pages and acts stand on, and says how one is added;
``sources.py`` has what is asked, ``pages/`` what is shown, ``acts/`` what can be done, ``site.py`` all of it together.
A page has a fleet to look at in ``tests/console/looks.py``, for axe and the screenshots.
"""
