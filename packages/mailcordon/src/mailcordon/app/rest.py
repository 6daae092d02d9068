"""The routes of the REST API, and what they need.

The roles `api` and `dashboard` have the same ones: `api` serves them to callers with keys, `dashboard` calls them for its pages.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.access_key_store import AccessKeyStore
from mailcordon.adapters.db.account_reader import AccountReader
from mailcordon.adapters.db.advice_store import AdviceStore, PriceFile
from mailcordon.adapters.db.alert_store import PostgresAlerts
from mailcordon.adapters.db.audit_store import AuditReader
from mailcordon.adapters.db.backtest_store import BacktestStore
from mailcordon.adapters.db.breaker_reader import BreakerEditor, BreakerReader
from mailcordon.adapters.db.contact_store import PostgresContacts
from mailcordon.adapters.db.content_reader import ContentReader
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.control_store import ControlStore
from mailcordon.adapters.db.dkim_key_store import DkimKeyStore
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.adapters.db.feedback_reader import FeedbackReader
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.incident_reader import IncidentEditor, IncidentReader
from mailcordon.adapters.db.installation import Installation
from mailcordon.adapters.db.isolation_store import IsolationStore
from mailcordon.adapters.db.lane_map_reader import LaneMapReader
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
from mailcordon.adapters.db.unsubscribe_store import PostgresUnsubscribes
from mailcordon.adapters.db.webhook_store import PostgresWebhooks
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.http import account as account_routes
from mailcordon.adapters.http import alerts as alert_routes
from mailcordon.adapters.http import contacts as contact_routes
from mailcordon.adapters.http import control as control_routes
from mailcordon.adapters.http import event_replay
from mailcordon.adapters.http import lane_map as lane_map_routes
from mailcordon.adapters.http import limits as limit_routes
from mailcordon.adapters.http import message_preview as preview_routes
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
from mailcordon.adapters.http.why import WhyServices
from mailcordon.adapters.rendering.process import RenderingProcess
from mailcordon.adapters.ses import envelopes
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.app import (
    alerts,
    intake,
    people,
    webhooks,
    wiring,
)
from mailcordon.app.intake import Taking
from mailcordon.config import Config
from mailcordon.control import keys
from mailcordon.control.access_keys import AccessKeys
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
from mailcordon.observe import view as observe_view
from mailcordon.observe.file_replay import FileReplay
from mailcordon.send.templates import Rendering


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The routes, and the parts of them that the roles use beside."""

    handlers: Sequence[HTTPRouteHandler]
    endpoint: MessageEndpoint
    taking: Taking
    controlled: control_routes.ControlServices
    suppressed: suppression_routes.SuppressionServices
    templates: Templates
    access_key_store: AccessKeyStore
    #: Connections for changes, by login: `control` and `governor`.
    pools: Mapping[str, engine.Pool]
    #: Connections for reads, by login: `control` and `reader`.
    readers: Mapping[str, engine.Pool]


@contextlib.asynccontextmanager
async def opened(config: Config, installation: Installation, stop: asyncio.Event) -> AsyncGenerator[Rest]:
    async with contextlib.AsyncExitStack() as stack:
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
        canceller = MessageCanceller(config.login_url("governor"))
        stack.push_async_callback(canceller.close)
        taking = await stack.enter_async_context(intake.opened(config, installation, pools["control"], stop))
        renderer = await stack.enter_async_context(RenderingProcess().running())
        endpoint = MessageEndpoint(
            accept=taking.accept,
            keys=taking.keys,
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
            people=people.services(pools["control"], config.dashboard),
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
            *preview_routes.routes(
                endpoint, ContentReader(pools["control"]), kept_days=config.keep_bodies_days
            ),
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
            *lane_map_routes.routes(LaneMapReader(readers["control"])),
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
        yield Rest(
            handlers=handlers,
            endpoint=endpoint,
            taking=taking,
            controlled=controlled,
            suppressed=suppressed,
            templates=templates,
            access_key_store=access_key_store,
            pools=pools,
            readers=readers,
        )
