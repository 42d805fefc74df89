"""The fleet in a browser: ``midflight console``.

It asks the conductors as the command line does (``upgrade/operator.py``), once a second at most and once for all
browsers, and opens no database. ``gatherer.py`` asks; ``app.py`` has the routes; ``stream.py`` pushes what has changed;
``access.py`` says who somebody is, ``guard.py`` what a browser may load and who may send here.

A page is three things, and no route is to be written for it:

1. a module in ``pages/`` with a ``Page``: its name (``traffic`` is at ``/traffic``), the sources that it shows, and a
   pure function from a ``View`` (the picture, the query, the viewer, the aim) to what its template is given;
2. a template ``templates/NAME.html`` that extends ``layout.html``, and ``static/NAME.css``. The block ``tools`` is
   written once; the block ``live`` is pushed whenever its text has changed, and morphed into what is there, so that
   focus and open details stay: give an id to whatever may move. Say when something was by ``{{ ui.ago(time) }}``, for a
   text that counts seconds would be pushed each second. Macros are in ``ui.html``, their looks in ``static/ui.css``;
3. a line in ``pages/__init__.py``, and a fleet to look at in ``tests/console/looks.py``, for axe and the screenshots.

No script and no style in a template: the content security policy lets none run. What a page's script has to do goes
into a file in ``static/``, which the block ``scripts`` names, and finds its numbers in ``data-`` attributes. Bars are
SVG, whose attributes are no style.
"""
