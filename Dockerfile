# syntax=docker/dockerfile:1
# Give the base image by digest: docker build --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:… .
# Both stages are of the same image, because an environment has its Python's path in it.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY config/requirements config/requirements
# Two environments: what builds stays here, what runs has not even pip.
RUN python -m venv /build && python -m venv --without-pip /opt/rotator \
  && /build/bin/pip install --no-cache-dir --require-hashes -r config/requirements/build.txt \
  && /build/bin/pip --python /opt/rotator/bin/python install --no-cache-dir --require-hashes -r config/requirements/run.txt
COPY pyproject.toml README.md ./
COPY rotator rotator
COPY plugins plugins
RUN /build/bin/python -m build --no-isolation --wheel --outdir /dist \
  && /build/bin/pip --python /opt/rotator/bin/python install --no-cache-dir --no-deps /dist/*.whl

FROM ${PYTHON_IMAGE}
# A number, so that Kubernetes can see without the image's passwd that it is not root.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/rotator
COPY --from=build /opt/rotator /opt/rotator
# The drivers' code is copied and compiled once, and kept beside the journal.
# Nothing else is ever written, so the root may be read-only: docker run --read-only --cap-drop ALL -v state:/var/lib/rotator
ENV PATH=/opt/rotator/bin:$PATH \
  PYTHONDONTWRITEBYTECODE=1 \
  STATE_DIRECTORY=/var/lib/rotator \
  XDG_CACHE_HOME=/var/lib/rotator/cache \
  XDG_STATE_HOME=/var/lib/rotator/home
USER 10001:10001
WORKDIR /var/lib/rotator
VOLUME /var/lib/rotator
# Asks a file that the daemon writes: no network, no tool. One-shot commands have no daemon: --no-healthcheck.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=2 CMD ["rotator", "alive"]
ENTRYPOINT ["rotator"]
CMD ["--help"]
