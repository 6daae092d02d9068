"""The `control` role: makes SES agree with what is desired, and keeps house."""

import asyncio
import contextlib
import math
from functools import partial

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.advice_store import AdviceStore
from mailcordon.adapters.db.beside_store import BesideStore
from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.dkim_key_store import DkimKeyStore
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.adapters.db.feedback_store import FeedbackStore
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.hint_store import HintStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.machine_state_reader import MachineStateReader
from mailcordon.adapters.db.outside_signal_store import OutsideSignalStore
from mailcordon.adapters.db.policy_store import PolicyStore
from mailcordon.adapters.db.pool_store import PoolStore
from mailcordon.adapters.db.proof_store import ProofStore
from mailcordon.adapters.db.provider_store import ProviderStore
from mailcordon.adapters.db.provision_store import BY_INDEX, ProvisionStore
from mailcordon.adapters.db.release_store import ReleaseStore
from mailcordon.adapters.db.ses_finding_store import SesFindingStore
from mailcordon.adapters.db.ses_list_store import SesListStore
from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.adapters.db.unlisting_store import UnlistingStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.adapters.db.warm_up_store import WarmUpStore
from mailcordon.adapters.prometheus import families
from mailcordon.adapters.ses import management_events
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.event_road import EventRoad
from mailcordon.adapters.ses.feedback_look import FeedbackLook
from mailcordon.adapters.ses.queue import open_queue
from mailcordon.app import (
    alerts,
    breaker,
    checkpoints,
    heartbeat,
    incidents,
    mac_keys,
    machine_metrics,
    machine_state,
    pulse,
    webhooks,
    wiring,
)
from mailcordon.app.credentials import credentials
from mailcordon.config import Config
from mailcordon.control import paces, reconcile, retention, retirement, schedule, unlisting
from mailcordon.control.beside import LIST_COVERS_SECONDS, Beside
from mailcordon.control.call_budget import CallBudget, Rates
from mailcordon.control.dkim_keys import DkimSigning
from mailcordon.control.erasure import Erasures
from mailcordon.control.findings import Findings
from mailcordon.control.governor import Governor
from mailcordon.control.ip_pools import IpPools
from mailcordon.control.outside_signals import OutsideSignals
from mailcordon.control.pacing.releases import Releases
from mailcordon.control.pacing.warm_ups import WarmUps
from mailcordon.control.policies import Policies
from mailcordon.control.provider_learning import ProviderLearning
from mailcordon.control.proving import Judge
from mailcordon.control.reconcile import Reconciler
from mailcordon.control.retention import DAY_MS, Keep
from mailcordon.control.retirement import Retirement
from mailcordon.control.scan import SHARED_SECONDS, Scan
from mailcordon.control.ses_findings import EVERY as ADVICE_SECONDS
from mailcordon.control.ses_findings import SesFindings
from mailcordon.control.ses_lists import RETRY_SECONDS, SesLists
from mailcordon.control.signals import URGENT_PER_MINUTE, Signals
from mailcordon.control.suppression_split.worker import WATCH_SECONDS, Splitter
from mailcordon.control.ungoverned import SentCalls
from mailcordon.control.unlisting import Unlister
from mailcordon.control.upkeep import Upkeep
from mailcordon.core import address as addresses
from mailcordon.core.news import Topic
from mailcordon.observe import folding
from mailcordon.observe.feedback_loop import Watch
from mailcordon.observe.webhooks.tally import Tally

QUIET = 20.0  #: seconds without news, after which the local SES is looked at more rarely
_CALLS_OF_A_LOOP = 4.0  #: a second: a call to AWS takes 100 to 200 ms, with what is recorded


def _loops(calls_per_second: float | None) -> int:
    """So many resources of one kind of work are checked at a time that their calls can use the whole rate."""
    return 1 if calls_per_second is None else min(8, math.ceil(calls_per_second / _CALLS_OF_A_LOOP))


async def run(config: Config, stop: asyncio.Event) -> None:
    """Reconciles SES with what is desired; keeps partitions ahead; ends holds whose time is over."""
    await wiring.remember_mode(config)
    installation = await wiring.installation(config, "control")
    observe_only = installation.observe_only
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mac_keys.kept_fresh(installation, config, "control"))
        news = await stack.enter_async_context(pulse.felt(config, stop))
        pool = await stack.enter_async_context(await engine.create_pool(config.login_url("control")))
        governors = await stack.enter_async_context(
            await engine.create_pool(config.login_url("governor"), max_size=2)
        )
        rates = Rates(per_second=config.ses_calls_per_second, operations=config.ses_call_rates)
        budget = CallBudget(rates)
        if observe_only:
            budget.close()
        profile = config.profiles.get("administer")
        ses = Administer(
            region=config.region,
            endpoint=config.ses_endpoint,
            access_key=config.access_key if profile is None else None,
            secret_key=config.secret_key if profile is None else None,
            profile=profile,
            budget=budget,
        )
        stack.callback(ses.close)
        governor = Governor(GovernorStore(governors))
        by_index = await stack.enter_async_context(
            await engine.create_pool(config.login_url("control"), max_size=2, settings=BY_INDEX)
        )
        provision = ProvisionStore(pool, by_index)
        plans = wiring.plans(config, pool, governor, observe_only=observe_only)
        dns = wiring.resolver(config)
        recipients_dns = wiring.resolver(config)  # apart: it is asked for what anybody mails
        keep = Keep(
            bodies_days=config.keep_bodies_days,
            records_days=config.keep_records_days,
            plans_days=config.keep_plans_days,
            minute_counts_days=config.keep_minute_counts_days,
            hour_counts_days=config.keep_hour_counts_days,
            day_counts_days=config.keep_day_counts_days,
        )
        local = config.local
        # The local SES is fast, and a developer who changes something there by hand waits for the result.
        # What a person changes by hand there is told by its management events.
        is_quiet = lambda: local and news.quiet_seconds(Topic.CONTROL, Topic.HINTS) > QUIET  # noqa: E731
        scan = Scan(rates, shared=30.0 if local else SHARED_SECONDS, is_quiet=is_quiet)
        topic = config.outcome_topic_arn or ""
        road = EventRoad(
            topic=topic,
            queue_url=config.outcome_queue_url,
            region=config.region,
            sns_endpoint=config.ses_endpoint if local else None,
            sqs_endpoint=config.sqs_endpoint,
            credentials=(config.access_key, config.secret_key),
            local=local,
            profile=profile,
        )
        outcomes = (config.outcome_queue_url or "").rpartition("/")[2]
        look = FeedbackLook(ses, road, topic=topic, queue=outcomes)
        watch = Watch(FeedbackStore(pool, topic=topic), look, queue=outcomes)
        ses_findings = SesFindings(
            SesFindingStore(pool),
            ses,
            every=10.0 if local else ADVICE_SECONDS,
            keep_ms=config.keep_records_days * DAY_MS,
        )
        ungoverned = UngovernedStore(pool)
        services = schedule.Services(
            governor=governor,
            reconciler=Reconciler(provision, ses, governor, reconcile.LOCAL if local else None, scan),
            upkeep=Upkeep(UpkeepStore(pool), ses, governor, cell=config.cell, keep=keep),
            ses_lists=SesLists(
                SesListStore(pool),
                ses,
                partial(addresses.hash_of_any, installation.hash_key),
                retry_seconds=3.0 if local else RETRY_SECONDS,
            ),
            splitter=Splitter(
                SplitStore(pool),
                ses,
                partial(addresses.hash_of_any, installation.hash_key),
                retry_seconds=3.0 if local else RETRY_SECONDS,
                watch_seconds=3.0 if local else WATCH_SECONDS,
            ),
            unlister=Unlister(
                UnlistingStore(pool), ses, retry_seconds=3.0 if local else unlisting.RETRY_SECONDS
            ),
            retirement=Retirement(
                LifecycleStore(pool), governor, partial(retirement.late_seconds, local=config.local)
            ),
            erasures=Erasures(ErasureStore(pool)),
            beside=Beside(
                BesideStore(pool), ses, cell=config.cell, recheck=45.0 if local else LIST_COVERS_SECONDS
            ),
            claims=wiring.claims(config, pool, plans),
            dkim=DkimSigning(
                DkimKeyStore(pool, config.secret_keys),
                ses,
                lambda: dns.check(authoritative=True),
                look_seconds=2.0 if local else 60.0,
            ),
            findings=Findings(FindingStore(pool), governor, keep_days=config.keep_records_days),
            ses_findings=ses_findings,
            judge=Judge(
                ProofStore(pool),
                ses,
                road,
                topic=topic,
                keep_days=config.keep_records_days,
            ),
            checks=wiring.identity_checks(config, pool, ControlReader(pool, pool), governor),
            learning=ProviderLearning(
                ProviderStore(pool),
                lambda seconds, questions: recipients_dns.check(
                    authoritative=False, seconds=seconds, questions=questions
                ),
                local=local,
            ),
            releases=Releases(ReleaseStore(pool), keep_days=config.keep_records_days),
            warm_ups=WarmUps(WarmUpStore(pool)),
            outside=OutsideSignals(OutsideSignalStore(pool)),
            rollouts=wiring.rollouts(pool, local=local),
            watch_pools=IpPools(PoolStore(pool), plans).watch,
            settings=wiring.settings(config),
            want_everything=plans.want_everything,
            follow_plans=plans.follow,
            recheck_all=provision.recheck_all,
            keep_policies=Policies(PolicyStore(pool)).keep,
            count_senders=AdviceStore(pool).count_senders,
            watch_feedback=watch.advance,
            count_sent=lambda: ungoverned.count_sent(config.cell, wiring.count_lag_ms(config)),
            purge_ungoverned=lambda: ungoverned.purge(config.keep_records_days * retention.DAY_MS),
            reconciler_lock=provision.reconciler_lock,
            paces=paces.LOCAL if local else paces.AWS,
            budget=budget,
            scan=scan,
            loops=_loops(config.ses_calls_per_second),
            observe_only=observe_only,
            news=news,
        )
        services.facts.advice_problem = lambda: ses_findings.problem
        if config.management_queue_url is not None and not observe_only:
            queue = open_queue(
                config.management_queue_url,
                region=config.region,
                credentials=await stack.enter_async_context(credentials(config, stop, "administer")),
                endpoint=config.sqs_endpoint,
                visibility_seconds=config.visibility_seconds,
            )
            stack.push_async_callback(queue.close)
            decode = partial(management_events.decode, region=config.region)
            rate = rates.per_second
            urgent = None if rate is None else max(1, round(URGENT_PER_MINUTE * rate))
            signals = Signals(
                queue,
                HintStore(pool),
                decode,
                cell=config.cell,
                urgent_per_minute=urgent,
                advised=ses_findings.notice,
                sent=SentCalls(ungoverned.record, installation),
                told=lambda: news.tell({Topic.HINTS}),
            )
            services.facts.signals = signals.facts
            await stack.enter_async_context(wiring.running(signals.run(stop), stop))
        counts = CohortStore(config.login_url("control"))
        stack.push_async_callback(counts.close)
        await stack.enter_async_context(
            wiring.running(folding.run(counts, stop, news.loop(folding.PACE)), stop)
        )
        await stack.enter_async_context(checkpoints.written(config, pool))
        told = await stack.enter_async_context(incidents.running(config, stop, news, stand_by=False))
        watched = await stack.enter_async_context(breaker.running(config, stop, news, stand_by=False))
        await stack.enter_async_context(alerts.running(config, stop, news))
        posted = Tally()
        await stack.enter_async_context(webhooks.running(config, stop, news, tally=posted))
        state = machine_state.Kept(MachineStateReader(pool, families.TOP_LANES))
        facts = await stack.enter_async_context(
            machine_metrics.served(
                config,
                "control",
                lambda: {
                    **services.facts.document(),
                    **told.document(),
                    **watched.document(),
                    **posted.document(),
                },
                state=state.samples,
            )
        )
        async with heartbeat.beating("control", config.login_url("control"), facts):
            await schedule.run(services, stop)
