"""Puts the API together: the settings, the shared objects, and the routes."""

from functools import partial

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from api import page
from api.description import describe
from api.events import EventStreams
from api.guards import refuse_body, refuse_foreign_host, refuse_foreign_site
from api.headers import protect
from api.metrics.kafka import KafkaLooks
from api.metrics.probe import Probe
from api.metrics.rabbitmq import RabbitLooks, waiting_calls
from api.metrics.recorder import Recorder
from api.problems import register_problems
from api.readiness import Readiness, broker_checks
from api.resources import NAME, Resources
from api.routes import docs, health, metrics, runs, sending
from api.rpc.calls import Calls
from api.rpc.proxy import ProxyPool
from api.rule import Rule
from api.runs.catalog import Catalog
from api.runs.dispatch import Dispatcher
from api.runs.janitor import Janitor, Lag
from api.runs.journal import Journal
from api.runs.model import Manner
from api.runs.store import Store
from api.runs.totals import TotalsKeeper
from messaging.clients import connect
from messaging.settings import Settings, load


def create_app() -> Flask:
    """Return the WSGI application.

    This function opens no connection. Each worker connects after its fork, in `Resources.begin`.
    """
    app = Flask(__name__, static_folder=None)  # the page serves its own files
    app.url_rule_class = Rule
    app.url_map.merge_slashes = False  # a path with two slashes is 404, not a redirect
    app.json = OrderedJSON(app)
    app.extensions[NAME] = make_resources(load())
    for module in sending, runs, health, metrics, docs, page:
        app.register_blueprint(module.blueprint)
    register_problems(app)
    for guard in refuse_foreign_host, refuse_foreign_site, refuse_body:
        app.before_request(guard)
    app.after_request(protect)
    return app


def make_resources(settings: Settings) -> Resources:
    kafka = connect(settings.kafka)
    journal = Journal(kafka, settings.topic_partitions, settings.replication_factor)
    keeper = TotalsKeeper()
    catalog = Catalog(settings.runs_kept, keeper, Manner(settings.kafka.client, settings.delivery))
    store = Store(journal, settings.runs_kept, settings.run_stalled, catalog)
    pool = ProxyPool(settings.amqp_uri, settings.request_timeout)
    return Resources(
        settings=settings,
        store=store,
        dispatcher=Dispatcher(store, Calls(pool), settings.runs_pending),
        streams=EventStreams(store),
        readiness=Readiness(broker_checks(settings.amqp_uri, kafka)),
        janitor=Janitor(
            store,
            Lag(kafka),
            partial(waiting_calls, RabbitLooks(settings.amqp_uri)),
            settings.run_stalled,
            [pool.close_idle],
        ),
        recorder=Recorder(
            Probe("Kafka", KafkaLooks(kafka)), Probe("RabbitMQ", RabbitLooks(settings.amqp_uri)), store.totals
        ),
        keeper=keeper,
        description=describe(settings),
    )


class OrderedJSON(DefaultJSONProvider):
    """Keeps the order in which the code adds members to a JSON object. Flask would sort the members by name."""

    sort_keys = False
