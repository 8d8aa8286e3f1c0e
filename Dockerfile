# syntax=docker/dockerfile:1
# Give the base image by digest: docker build --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:… .
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
ENV PATH=/opt/rotator/bin:$PATH XDG_CACHE_HOME=/var/lib/rotator/cache
USER 10001:10001
WORKDIR /var/lib/rotator
VOLUME /var/lib/rotator
ENTRYPOINT ["rotator"]
CMD ["--help"]
