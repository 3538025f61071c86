"""Gunicorn's settings: `gunicorn --config api/gunicorn.conf.py "api:create_app()"`."""

import os
import resource

# As many connections as this process may have: with the usual 1024 a worker would end when it runs out of them.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

bind = os.environ.get("API_BIND") or "127.0.0.1:8000"
worker_class = "api.worker.Worker"  # threads, for nameko's proxies block
workers = 2
threads = 128  # for WAITING requests (api/app.py), for STREAMS (api/events.py), and some for all others
timeout = 30  # seconds without a sign of life from a worker; requests may take longer
graceful_timeout = 8  # seconds for requests under way after SIGTERM; docker-compose gives 10
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # its heartbeat file needs no disk
control_socket_disable = True  # nobody asks for it, and it would need a writable home


def on_starting(server):
    from messaging import config

    config.load()  # ends the arbiter if a setting is wrong, which would else start workers again and again


def post_worker_init(worker):
    worker.wsgi.extensions["runs"].warm_up()
