"""Why a template cannot be rendered, and where."""

from mailcordon.messages import templates


class RenderingFault(Exception):
    """`part` is the source as its owner names it: subject, text, html, mjml, or the name of a part; None: unknown."""

    def __init__(
        self, part: str | None, problem: str, *, line: int | None = None, variable: str | None = None
    ) -> None:
        super().__init__(problem)
        self.part = part
        self.problem = problem
        self.line = line
        self.variable = variable

    def sentence(self, label: str) -> str:
        """`label` names the version."""
        return templates.failed(label, self.part, self.line, self.problem, self.variable)
