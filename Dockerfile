# One image for servers, workers and flow runs: the tree that the tests run on, nothing newer.
#   docker build --tag penstock .
FROM python:3.11-slim

# git: a run notes the commit of its pipeline's folder
RUN apt-get update && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1

WORKDIR /src
COPY constraints.txt ./
RUN pip install --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY flows flows
COPY data/adult data/adult
RUN pip install --constraint constraints.txt ".[auth,postgres,s3]" && rm -rf /src/*

# The project (data/<name>/pipeline.yaml) is mounted here, or copied by an image built on this one;
# store, locks and results are kept in the home, which all workers share.
RUN useradd --create-home penstock && mkdir /project /home/penstock/home \
    && chown penstock /project /home/penstock/home
USER penstock
WORKDIR /project
ENV PENSTOCK_HOME=/home/penstock/home
CMD ["prefect", "worker", "start", "--pool", "penstock", "--type", "process"]
