"""Makes HTML of MJML, once, when a version is stored.

So no data reaches mrml, and a message costs the same as one of HTML. Tags of the template language pass as text: in `mj-text`,
attributes and, around other elements, in `mj-raw`.
"""

import mrml

from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.messages import templates


def compile(source: str) -> str:
    """Raises RenderingFault. `mj-include` is refused: nothing is read from a disk or the network.

    Deeply nested input ends the process (mrml 0.2.4): call it only where that is bounded."""
    options = mrml.ParserOptions(include_loader=mrml.noop_loader())
    try:
        found = mrml.to_html(source, parser_options=options)
    except Exception as error:
        problem = templates.mjml_includes() if "included template" in str(error) else str(error)
        raise RenderingFault("mjml", problem[:500]) from None
    return found.content
