"""Who is woken by what. The clock is the test's: a rest that is due ends at once, any other only by news or by the end."""

import asyncio

from mailcordon.core.news import News, Topic, no_news
from mailcordon.core.pace import Pace

SLOW = Pace(quick=100.0, slow=1_000.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def resting(task: asyncio.Task[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_news_of_its_topic_end_a_rest_once_the_quick_pace_is_over():
    clock = Clock()
    news = News(is_fed=True, clock=clock)
    loop = news.loop(SLOW, Topic.COUNTS)
    for _ in range(10):
        clock.now += 1_000
        loop.begins()
        task = asyncio.create_task(loop.rest())
        await asyncio.sleep(0)
        task.cancel()
    task = asyncio.create_task(loop.rest())
    await asyncio.sleep(0)
    clock.now += 150
    news.tell({Topic.INCIDENTS})
    assert await resting(task)
    news.tell({Topic.COUNTS})
    await task


async def test_the_end_of_the_process_ends_all_rests():
    news, stop = News(is_fed=True, clock=Clock()), asyncio.Event()
    tasks = [asyncio.create_task(news.loop(SLOW).rest(stop)) for _ in range(3)]
    assert await resting(tasks[0])
    stop.set()
    await asyncio.gather(*tasks)


async def test_a_loop_keeps_its_quick_pace_where_nobody_tells():
    clock = Clock()
    loop = News(is_fed=False, clock=clock).loop(SLOW, Topic.COUNTS)
    for _ in range(10):
        loop.begins()
        task = asyncio.create_task(loop.rest())
        await asyncio.sleep(0)
        task.cancel()
    assert loop.quick == 100.0
    assert not no_news().is_fed


async def test_a_round_that_was_long_is_followed_by_a_long_rest():
    clock = Clock()
    news = News(is_fed=True, clock=clock)
    loop = news.loop(SLOW, Topic.COUNTS)
    task = asyncio.create_task(loop.rest(least=500.0))
    await asyncio.sleep(0)
    clock.now = 400.0
    news.tell({Topic.COUNTS})
    assert await resting(task)
    clock.now = 501.0
    loop.wake()
    await task
