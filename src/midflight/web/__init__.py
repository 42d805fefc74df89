"""Pages that are pushed, and acts that are asked first: what the console and an application's own page are made of.

It needs ``midflight[console]``. An application uses the names below, and what a template finds by name:

site = Site(brand="house", project="house", folder=HERE, pages=PAGES, acts=ACTS, always=MACHINES)
await serve(lambda: site, connect, "midflight.toml", "127.0.0.1:8701", print)

``connect`` makes an operator: whoever asks the fleet in the application's way, with ``in_the_name_of(user)``. The
``Gatherer`` has it asked for the ``always`` source, and for those of the pages that somebody looks at, once for all
browsers. Who may look and who may act says ``[console]`` of the configuration (``access.py``); what a browser may load
and who may send here is in ``guard.py``.

A page is three things, and no route is to be written for it:

1. a ``Page``: its name (``traffic`` is at ``/traffic``), the sources that it shows, and a pure function from a ``View``
   (the picture, the query, the viewer) to what its template is given;
2. a template ``templates/NAME.html`` in the site's folder, which extends ``layout.html``, and ``static/NAME.css``. The
   block ``tools`` is written once; the block ``live`` is pushed whenever its text has changed, and morphed into what is
   there, so that focus and open details stay: give an id to whatever may move. Say when something was by ``{{
   ui.ago(time) }}``, for a text that counts seconds would be pushed each second. Macros are in ``ui.html``, their looks
   in ``static/ui.css``; the site's ``mark.html`` is its sign, and ``static/mark.svg`` its icon;
3. a line in the site's ``pages``.

No script and no style in a template: the content security policy lets none run. What a page's script has to do goes
into a file in ``static/``, which the block ``scripts`` names, and finds its numbers in ``data-`` attributes. Bars are
SVG, whose attributes are no style. A script does an act at once by a POST of its fields to ``/act/NAME``, with
``Accept: application/json`` and, as ``form_key``, the content of the page's ``meta[name=form-key]``: the answer says
what it ``did``, and why it ``failed``.
"""

from midflight.web.access import Access, Viewer
from midflight.web.act import Act, Field, Question, Scene, Tell
from midflight.web.app import App
from midflight.web.gatherer import Gatherer, Picture, Sight, Source
from midflight.web.page import Page, View
from midflight.web.serve import serve
from midflight.web.site import Site

__all__ = [
    "Access",
    "Act",
    "App",
    "Field",
    "Gatherer",
    "Page",
    "Picture",
    "Question",
    "Scene",
    "Sight",
    "Site",
    "Source",
    "Tell",
    "View",
    "Viewer",
    "serve",
]
