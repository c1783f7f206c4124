# docker build -t largest-object .
# docker run --rm -p 127.0.0.1:7860:7860 --read-only --tmpfs /tmp largest-object
#
# PyTorch's own package index has builds without CUDA, which make the image several times smaller:
#   docker build --build-arg TORCH_INDEX=ADDRESS ...   (ADDRESS: see "Get started" on pytorch.org,
#   Linux, pip, CPU). Left out, pip takes its usual build, which works as well.
FROM python:3.12-slim

ARG TORCH_INDEX
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp

RUN useradd --create-home --uid 1000 app
WORKDIR /app

# Before the code, so that a change of the code does not install everything again.
COPY requirements.txt .
RUN grep -E '^torch(vision)?[<>=]' requirements.txt \
    | pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r /dev/stdin
RUN pip install --no-cache-dir -r requirements.txt
# Gradio does not allow it yet, and works with it; it mends known holes (SECURITY.md).
RUN pip install --no-cache-dir --no-deps "pillow>=13,<14"

COPY LICENSE README.md ./
COPY examples examples
COPY checkpoints checkpoints
COPY model model
COPY demo demo

USER app
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=4)"]
# Not through a shell, so that the server itself gets the signal of `docker stop`.
CMD ["python", "demo/app.py", "--host", "0.0.0.0"]
