"""An S3-compatible store for tests: moto's server, a process of its own on loopback."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

BUCKET = "hub-files"
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
import boto3
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                  aws_access_key_id="test", aws_secret_access_key="test")
s3.create_bucket(Bucket=sys.argv[1])
print(port, flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where the store answers; any keys are good."""

    endpoint: str
    bucket: str = BUCKET
    access_key: str = "test"
    secret_key: str = "test"

    def environ(self, prefix: str) -> dict[str, str]:
        """The variables an operator would set."""
        return {
            "HUB_FILES_URL": f"s3://{self.bucket}/{prefix}",
            "HUB_FILES_ENDPOINT": self.endpoint,
            "HUB_FILES_ACCESS_KEY": self.access_key,
            "HUB_FILES_SECRET_KEY": self.secret_key,
        }


class S3Process:
    """The running server."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _SERVER, BUCKET],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.address = S3Address(f"http://127.0.0.1:{int(self._process.stdout.readline())}")

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
