"""A provider of tokens for as long as a command runs: `oidc_run.py COMMAND…` starts it on a port of its own, names its addresses
to librdkafka's test 0126 in the environment (and in the file RDKAFKA_TEST_CONF, for `@OIDC@`), and ends with the command's code.

The tokens have no signature: the broker that they go to takes such (Kafka's own validator for tests). What the provider
is asked for, it judges as the one of librdkafka's authors: the grants of client credentials and of a JWT that the client has
signed, and the questions of Azure's metadata service.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CLIENT, SECRET, SCOPE, LIFE = "client_id", "client_secret", "requiredScope", 60
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def encoded(what):
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def token(subject, life=LIFE):
    now = int(time.time())
    claims = {"iss": "klamm", "sub": subject, "client_id": CLIENT, "scope": SCOPE, "iat": now, "exp": now + life}
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}."


def subject_of_assertion(assertion):
    """Whom a signed JWT names; the signature is checked with the key of the tests."""
    head, claims, signature = assertion.split(".")
    if decoded(head)["alg"] != "RS256":
        raise ValueError(f"not signed as such a key signs: {decoded(head)}")
    signature = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    held = os.environ["KLAMM_OIDC_SCRATCH"] + f"/assertion.{threading.get_ident()}"
    with open(held, "wb") as file:
        file.write(signature)
    check = ["openssl", "dgst", "-sha256", "-verify", os.environ["KLAMM_OIDC_PUBLIC_KEY"], "-signature", held]
    answer = subprocess.run(check, input=f"{head}.{claims}".encode(), capture_output=True)
    if answer.returncode != 0:
        raise ValueError(f"a wrong signature: {answer.stdout} {answer.stderr}")
    return decoded(claims)["sub"]


class Provider(BaseHTTPRequestHandler):
    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, why):
        self.answer(400, {"error": "invalid_request", "error_description": why})

    def do_GET(self):
        """Azure's instance metadata service."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        lacking = [key for key in ("api-version", "resource", "client_id") if key not in asked]
        if lacking or self.headers.get("Metadata") != "true":
            return self.refuse(f"lacking: {lacking}")
        self.answer(200, {"access_token": token(asked["client_id"])})

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        grant, scope = form["grant_type"][0], form.get("scope", [SCOPE])[0]
        if self.path == "/badformat":
            return self.answer(200, {"access_token": "this.is.none"})
        life = -LIFE if self.path == "/expired" else LIFE
        if scope != SCOPE:
            return self.refuse(f"no such scope: {scope}")
        if grant == "client_credentials":
            login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {login}":
                return self.answer(401, {"error": "invalid_client"})
            return self.answer(200, {"access_token": token(CLIENT, life)})
        if grant == JWT_BEARER:
            try:
                return self.answer(200, {"access_token": token(subject_of_assertion(form["assertion"][0]), life)})
            except (ValueError, KeyError) as error:
                return self.refuse(str(error))
        self.refuse(f"no such grant: {grant}")

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    os.environ |= {
        "VALID_OIDC_URL": f"{base}/valid",
        "INVALID_OIDC_URL": f"{base}/badformat",
        "EXPIRED_TOKEN_OIDC_URL": f"{base}/expired",
    }
    config = os.environ["RDKAFKA_TEST_CONF"]
    with open(config) as file:
        text = file.read()
    with open(config, "w") as file:
        file.write(text.replace("@OIDC@", f"{base}/valid"))
    sys.exit(subprocess.run(sys.argv[1:]).returncode)


if __name__ == "__main__":
    main()
