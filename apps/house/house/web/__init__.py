"""The house in a browser: ``house page``.

It stands on ``midflight.web``, which says how a page or an act is added; ``sources.py`` has what the house is asked,
``pages/`` what is shown, ``acts/`` what can be done, ``site.py`` all of it together. The page does what the command
line does, through the same ``house/operator.py``.
"""
