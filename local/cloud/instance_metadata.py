"""The metadata service of a host: version 2, with the paths that user data and the CLI use."""

import json
import os
import secrets
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

TOKENS: set[str] = set()
STARTED = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _find_metadata(path: str) -> str | None:
    zone = os.environ["ZONE"]
    role = json.loads(os.environ["ROLE"])
    name = role.pop("Role")
    credentials = "/latest/meta-data/iam/security-credentials"
    document = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": STARTED, **role}
    return {
        "/latest/meta-data/instance-id": os.environ["INSTANCE_ID"],
        "/latest/meta-data/placement/availability-zone": zone,
        "/latest/meta-data/placement/region": zone[:-1],
        credentials + "/": name,
        f"{credentials}/{name}": json.dumps(document),
    }.get(path)


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        if self.path != "/latest/api/token":
            return self._respond(404, "")
        token = secrets.token_urlsafe()
        TOKENS.add(token)
        return self._respond(200, token)

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") not in TOKENS:
            return self._respond(401, "Unauthorized")
        text = _find_metadata(self.path)
        return self._respond(404, "Not Found") if text is None else self._respond(200, text)

    def _respond(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        # The AWS SDKs read the token's lifetime from the response.
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep the host's log for its user data."""


if __name__ == "__main__":
    # http.server's own class would look its name up in the DNS first, and a host has no DNS.
    ThreadingTCPServer(
        ("169.254.169.254", int(os.environ["METADATA_PORT"])), Handler
    ).serve_forever()
