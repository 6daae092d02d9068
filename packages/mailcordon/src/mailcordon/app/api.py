"""The `api` role: the REST API of all planes, and the endpoint for mail."""

import asyncio
import contextlib

import mailcordon
from mailcordon.adapters.db import engine, health_reader
from mailcordon.adapters.db.access_key_store import AccessKeyStore
from mailcordon.adapters.db.account_reader import AccountReader
from mailcordon.adapters.db.advice_store import AdviceStore, PriceFile
from mailcordon.adapters.db.alert_store import PostgresAlerts
from mailcordon.adapters.db.audit_store import AuditReader
from mailcordon.adapters.db.backtest_store import BacktestStore
from mailcordon.adapters.db.breaker_reader import BreakerEditor, BreakerReader
from mailcordon.adapters.db.contact_store import PostgresContacts
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.control_store import ControlStore
from mailcordon.adapters.db.dkim_key_store import DkimKeyStore
from mailcordon.adapters.db.driver_errors import UNREACHABLE, in_words
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.adapters.db.feedback_reader import FeedbackReader
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.incident_reader import IncidentEditor, IncidentReader
from mailcordon.adapters.db.isolation_store import IsolationStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.limit_reader import LimitReader
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.db.message_search import MessageSearch
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.objective_store import ObjectiveReader
from mailcordon.adapters.db.observe_reader import PostgresObserveReader
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.db.observing_store import ObservingStore
from mailcordon.adapters.db.outside_signal_store import OutsideSignalReader, OutsideSignalStore
from mailcordon.adapters.db.pacing_reader import PacingReader
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.policy_store import PolicyStore
from mailcordon.adapters.db.pool_store import PoolStore
from mailcordon.adapters.db.proof_store import ProofStore
from mailcordon.adapters.db.provider_store import ProviderStore
from mailcordon.adapters.db.rehearsal_store import RehearsalStore
from mailcordon.adapters.db.release_store import ReleaseStore
from mailcordon.adapters.db.rollout_reader import RolloutReader
from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.adapters.db.suppression_reader import PostgresSuppressionReader
from mailcordon.adapters.db.suppression_store import PostgresSuppressions
from mailcordon.adapters.db.template_store import TemplateLookup, TemplateStore
from mailcordon.adapters.db.tenant_facts import PostgresFacts
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.adapters.db.unsubscribe_keys import TokenReader
from mailcordon.adapters.db.unsubscribe_store import PostgresUnsubscribes
from mailcordon.adapters.db.webhook_store import PostgresWebhooks
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.http import account as account_routes
from mailcordon.adapters.http import alerts as alert_routes
from mailcordon.adapters.http import contacts as contact_routes
from mailcordon.adapters.http import control as control_routes
from mailcordon.adapters.http import event_replay, message_protocol, server, shared_door, tls_gate
from mailcordon.adapters.http import limits as limit_routes
from mailcordon.adapters.http import metrics as metric_routes
from mailcordon.adapters.http import observe as observe_routes
from mailcordon.adapters.http import observing as observing_routes
from mailcordon.adapters.http import providers as provider_routes
from mailcordon.adapters.http import search as search_routes
from mailcordon.adapters.http import status as status_routes
from mailcordon.adapters.http import suppression_split as split_routes
from mailcordon.adapters.http import suppressions as suppression_routes
from mailcordon.adapters.http import templates as template_routes
from mailcordon.adapters.http import ungoverned as ungoverned_routes
from mailcordon.adapters.http import unsubscribe_hosts as unsubscribe_host_routes
from mailcordon.adapters.http import webhooks as webhook_routes
from mailcordon.adapters.http import why as why_routes
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.http.search import SearchServices
from mailcordon.adapters.http.ses_door.endpoint import SesDoor
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.adapters.http.unsubscribe import Unsubscribe
from mailcordon.adapters.http.why import WhyServices
from mailcordon.adapters.rendering.process import RenderingProcess
from mailcordon.adapters.ses import envelopes
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.app import (
    alerts,
    breaker,
    event_doors,
    heartbeat,
    incidents,
    intake,
    listeners,
    mac_keys,
    machine_metrics,
    webhooks,
    wiring,
)
from mailcordon.app import server as http_server
from mailcordon.config import Config
from mailcordon.control import keys
from mailcordon.control.access_keys import AccessKeyCache, AccessKeys
from mailcordon.control.advice.advisor import Advisor
from mailcordon.control.backtests import Backtests
from mailcordon.control.dkim_keys import DkimKeys
from mailcordon.control.erasure import ErasureRequests
from mailcordon.control.findings import Findings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_records import IdentityRecords
from mailcordon.control.ip_pools import IpPools
from mailcordon.control.isolation import Isolation
from mailcordon.control.lifecycle import Lifecycle
from mailcordon.control.outside_signals import OutsideSignals
from mailcordon.control.policies import Policies
from mailcordon.control.proofs import Proofs
from mailcordon.control.providers import Providers
from mailcordon.control.rehearsals import Rehearsals
from mailcordon.control.suppression_split.splits import Splits
from mailcordon.control.templates import Templates
from mailcordon.control.tenant_facts import FactKeeper
from mailcordon.control.tenants import Tenants
from mailcordon.control.ungoverned import Ungoverned
from mailcordon.door.client_address import TrustedProxies
from mailcordon.messages import api
from mailcordon.observe import view as observe_view
from mailcordon.observe.file_replay import FileReplay
from mailcordon.send.templates import Rendering

_HEALTH_SECONDS = 1.0
_PAGES_AT_ONCE = 4  #: of links to unsubscribe


async def run(config: Config, stop: asyncio.Event) -> None:
    """REST, on `config.api_fd` if it is there, else on `config.api_host` and `config.api_port`."""
    installation = await wiring.installation(config, "control")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mac_keys.kept_fresh(installation, config, "control"))
        pools = {
            login: await stack.enter_async_context(await engine.create_pool(config.login_url(login)))
            for login in ("control", "governor")
        }
        # Reads have connections of their own, so that changes and the look-up of keys never wait for them.
        readers = {
            login: await stack.enter_async_context(
                await engine.create_pool(
                    config.login_url(login),
                    max_size=config.reads.at_once,
                    statement_seconds=config.read_seconds,
                )
            )
            for login in ("control", "reader")
        }
        read_as = (readers["control"], readers["reader"])
        canceller = MessageCanceller(config.login_url("send"))
        stack.push_async_callback(canceller.close)
        taking = await stack.enter_async_context(intake.opened(config, installation, pools["control"], stop))
        accept, cache, door_facts = taking.accept, taking.keys, taking.facts
        renderer = await stack.enter_async_context(RenderingProcess().running())
        endpoint = MessageEndpoint(
            accept=accept,
            keys=cache,
            reader=MessageReader(*read_as),
            canceller=canceller,
            hash_key=installation.hash_key,
            buckets=taking.buckets,
            reads=taking.reads,
            region=config.region,
            rendering=Rendering(TemplateLookup(pools["control"]), renderer),
        )
        replays = ObserveStore(config.login_url("observe"))
        stack.push_async_callback(replays.close)
        access_key_store = AccessKeyStore(pools["control"], config.secret_keys)
        observed = observe_routes.ObserveServices(
            reader=PostgresObserveReader(pools["control"]),
            replay=observe_view.Replay(
                replays,
                reader=wiring.event_reader(config),
                ingest=wiring.ingest(config, installation),
            ),
        )
        file_replay = FileReplay(
            replays,
            wiring.ingest(config, installation),
            Reader(Proof(config.topic_arns)),
            envelopes.documents,
        )
        suppressed = suppression_routes.SuppressionServices(
            reader=PostgresSuppressionReader(*read_as),
            suppressions=PostgresSuppressions(pools["control"]),
            hash_key=installation.hash_key,
            unsubscribes=PostgresUnsubscribes(pools["control"]),
        )
        governor = Governor(GovernorStore(pools["governor"]))
        control_store = ControlStore(pools["control"])
        plans = wiring.plans(config, pools["control"], governor, observe_only=installation.observe_only)
        suffixes = PublicSuffixes()
        dkim = DkimKeys(DkimKeyStore(pools["control"], config.secret_keys, readers["reader"]))
        controlled = control_routes.ControlServices(
            reads=ControlReader(*read_as),
            tenants=Tenants(TenantStore(pools["control"]), plans, local=config.local),
            types=control_store,
            keys=keys.Keys(taking.key_store),
            access_keys=AccessKeys(access_key_store),
            audit=AuditReader(*read_as),
            governor=governor,
            plans=plans,
            lifecycle=Lifecycle(
                plans,
                LifecycleStore(pools["control"]),
                local=config.local,
                keep_sets_seconds=config.keep_sets_days * 86_400.0,
            ),
            erasures=ErasureRequests(ControlReader(*read_as), ErasureStore(pools["control"])),
            findings=Findings(FindingStore(pools["control"]), governor),
            records=IdentityRecords(ControlReader(*read_as), dkim, suffixes, region=config.region),
            isolation=Isolation(
                ControlReader(*read_as),
                IsolationStore(readers["control"]),
                suffixes,
                topic=config.outcome_topic_arn or "",
                links=config.unsubscribe_url,
            ),
            dkim=dkim,
            claims=wiring.claims(config, pools["control"], plans, reader=readers["reader"]),
            checks=wiring.identity_checks(
                config, pools["control"], ControlReader(*read_as), governor, reader=readers["reader"]
            ),
            proofs=Proofs(ProofStore(*read_as), days=config.proof_days),
            feedback=FeedbackReader(*read_as),
            incidents=IncidentReader(*read_as),
            incident_changes=IncidentEditor(pools["control"]),
            objectives=ObjectiveReader(*read_as),
            advisor=Advisor(AdviceStore(readers["control"]), plans, PriceFile(config.home).read),
            pools=IpPools(PoolStore(pools["control"]), plans),
            backtests=Backtests(BacktestStore(readers["control"])),
            rehearsals=Rehearsals(RehearsalStore(readers["control"])),
            outside=OutsideSignals(OutsideSignalStore(pools["control"])),
            signals=OutsideSignalReader(*read_as),
            breaker=BreakerReader(*read_as),
            breaker_changes=BreakerEditor(pools["control"], proof_days=config.proof_days),
            policies=Policies(PolicyStore(pools["control"])),
            facts=FactKeeper(PostgresFacts(pools["control"])),
            pacing=PacingReader(*read_as),
            pacing_changes=ReleaseStore(pools["control"]),
            rollouts=RolloutReader(*read_as),
            rollout_changes=wiring.rollout_changes(pools["control"], plans),
            paths=PathStore(pools["control"]),
        )
        searching = SearchServices(
            search=MessageSearch(*read_as), hash_key=installation.hash_key, region=config.region
        )
        templates = Templates(TemplateStore(pools["control"], readers["reader"]), renderer)
        ses = SesDoor(
            endpoint,
            AccessKeyCache(access_key_store, cache),
            Services(
                suppression_reader=suppressed.reader,
                suppressions=suppressed.suppressions,
                metrics=PostgresMetricsReader(*read_as),
                messages=endpoint.reader,
                account=AccountReader(readers["control"]),
                templates=templates,
                tenants=controlled.reads,
                key_rates=config.key_rates,
                hash_key=installation.hash_key,
                region=config.region,
            ),
        )
        alert_store = PostgresAlerts(pools["control"], config.secret_keys)
        contacts = PostgresContacts(pools["control"], config.secret_keys, reader=readers["reader"])
        channels = alerts.channels(config, alert_store, contacts, controlled.keys)
        hooks = PostgresWebhooks(pools["control"], config.secret_keys, reader=readers["reader"])
        handlers = [
            *control_routes.routes(controlled),
            *observe_routes.routes(observed),
            *event_replay.routes(file_replay),
            *alert_routes.routes(alert_routes.AlertServices(channels=channels, reads=alert_store)),
            *contact_routes.routes(
                contact_routes.ContactServices(reads=controlled.reads, channels=channels, contacts=contacts)
            ),
            *webhook_routes.routes(
                webhook_routes.WebhookServices(
                    reads=controlled.reads, endpoints=webhooks.endpoints(config, hooks), store=hooks
                )
            ),
            *observing_routes.routes(ObservingStore(pools["control"])),
            *limit_routes.routes(LimitReader(*read_as), controlled.reads),
            *metric_routes.routes(PostgresMetricsReader(*read_as)),
            *search_routes.routes(searching),
            *why_routes.routes(
                WhyServices(
                    endpoint=endpoint,
                    search=searching,
                    reads=ControlReader(*read_as),
                    feedback=controlled.feedback,
                    incidents=controlled.incidents,
                )
            ),
            *suppression_routes.routes(suppressed),
            *split_routes.routes(
                Splits(
                    SplitStore(pools["control"]),
                    calls_per_second=config.ses_calls_per_second,
                    observe_only=installation.observe_only,
                ),
                ControlReader(*read_as),
                installation.hash_key,
            ),
            *status_routes.routes(StatusReader(readers["control"])),
            *account_routes.routes(AccountReader(readers["control"])),
            *ungoverned_routes.routes(
                Ungoverned(UngovernedStore(pools["control"])),
                ControlReader(*read_as),
                lag_ms=wiring.count_lag_ms(config),
            ),
            *unsubscribe_host_routes.routes(ControlReader(*read_as), PostgresUnsubscribes(pools["control"])),
            *provider_routes.routes(Providers(ProviderStore(pools["control"]))),
            *template_routes.routes(
                template_routes.TemplateServices(
                    reads=controlled.reads,
                    templates=templates,
                )
            ),
        ]
        health = _Health(pools["control"]).check
        events, event_totals = await stack.enter_async_context(
            event_doors.open_doors(config, installation, cache, endpoint.reads, stop)
        )
        # Of its own: anybody may ask for these pages, and nothing else must wait for that.
        pages = await stack.enter_async_context(
            await engine.create_pool(config.login_url("control"), max_size=_PAGES_AT_ONCE)
        )
        unsubscribe = Unsubscribe(
            PostgresUnsubscribes(pages),
            TokenReader(pages, config.secret_keys).read,
            refused=door_facts.refuse,
        )
        application = server.build(
            endpoint, cache, handlers, health, mailcordon.__version__, events, ses, unsubscribe
        )
        await stack.enter_async_context(wiring.running(accept.run(), stop))
        door = shared_door.Door(
            http_server.possible(config.limits), door_facts, TrustedProxies(config.trusted_proxies)
        )
        told = await stack.enter_async_context(incidents.running(config, stop, stand_by=True))
        watched = await stack.enter_async_context(breaker.running(config, stop, stand_by=True))
        facts = await stack.enter_async_context(
            machine_metrics.served(
                config,
                "api",
                lambda: {
                    **accept.facts.document(),
                    **door_facts.document(),
                    **event_totals.document(),
                    **told.document(),
                    **watched.document(),
                },
            )
        )
        await stack.enter_async_context(heartbeat.beating("api", config.login_url("control"), facts))
        await stack.enter_async_context(alerts.running(config, stop, stand_by=True))
        await stack.enter_async_context(webhooks.running(config, stop, stand_by=True))
        connections = message_protocol.protocol(endpoint, door, ses)
        if (context := listeners.tls_context(config.tls_certificate, config.tls_key)) is not None:
            connections = tls_gate.behind_tls(connections, door, context)
        await http_server.serve(application, connections, config, stop)


class _Health:
    """Anybody may ask, so one look at the database answers everybody who asks within a second."""

    def __init__(self, pool: engine.Pool) -> None:
        self._pool = pool
        self._looked = 0.0
        self._look: asyncio.Task[server.Health] | None = None

    async def check(self) -> server.Health:
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._looked > _HEALTH_SECONDS):
            self._looked = now
            self._look = asyncio.create_task(_health(self._pool))
        return await asyncio.shield(self._look)


async def _health(pool: engine.Pool) -> server.Health:
    try:
        async with pool.acquire(timeout=2) as connection:
            oldest = await health_reader.oldest_snapshot(connection, timeout=2)
    except UNREACHABLE as gone:
        problem = api.database_not_responding(in_words(gone))
        return server.Health(ok=False, database=problem, oldest_snapshot_seconds=None)
    return server.Health(ok=True, database="ok", oldest_snapshot_seconds=oldest)
