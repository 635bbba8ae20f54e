# docker build -t rum .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD":/work rum train copying --preset copying_short
FROM python:3.12-slim AS build
COPY . /source
# TensorFlow's headers, 430 MB, are for those who compile operations of their own.
RUN python -m venv /opt/rum && /opt/rum/bin/pip install --no-cache-dir --no-compile '/source[tensorflow]' \
    && rm -r /opt/rum/lib/python3*/site-packages/tensorflow/include

FROM python:3.12-slim
COPY --from=build /opt/rum /opt/rum
RUN useradd --create-home --uid 1000 rum && mkdir /work && chown rum /work
USER rum
WORKDIR /work
# Whoever it runs as has a home that can be written to.
ENV PATH="/opt/rum/bin:$PATH" HOME=/tmp PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["rum"]
CMD ["--help"]
