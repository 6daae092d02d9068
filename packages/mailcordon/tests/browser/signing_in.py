"""Signs a browser in, as somebody who has a key of the installation does."""

from playwright.async_api import BrowserContext

from mailcordon.adapters.dashboard.sign_in.keys import COOKIE


async def sign_in(context: BrowserContext, key: str) -> None:
    """By the form of the page, which leaves a session's cookie in the context."""
    answer = await context.request.post("/sign-in", form={"key": key, "next": "/now"}, max_redirects=0)
    assert answer.status == 303, f"the key was not taken: {answer.status} {(await answer.text())[:300]}"
    assert COOKIE in {one.get("name") for one in await context.cookies()}, "the sign-in left no cookie"
