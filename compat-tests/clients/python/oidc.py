"""A provider of tokens on 127.0.0.1, for tests: its keys and signatures are openssl's.

oidc.py FOLDER [CERTIFICATE KEY] prints the port. GET /keys is the JWKS; POST /token gives a token by the client credentials
flow, whose client is the subject; GET /token?sub=&seconds=&aud=&iss=&scope=&by= gives any other, signed by the key `by` (the newest
one; `stranger` is one that is not in the set, under the newest one's name); GET /rotate makes a new key.
"""
import base64
import json
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

folder = sys.argv[1]
keys = []


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key(name):
    path = f"{folder}/{name}.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
    modulus = openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().split("=")[1]
    return path, {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": name, "n": encoded(bytes.fromhex(modulus)), "e": "AQAB"}


def token(sub="alice", seconds="300", aud="klamm", iss="https://provider", scope="kafka", by=None):
    path, jwk = keys[-1]
    if by == "stranger":
        path, _ = stranger
    now = int(time.time())
    claims = {"sub": sub, "aud": aud, "iss": iss, "iat": now - 1, "exp": now + int(seconds), "scope": scope}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": jwk["kid"]}, claims))
    return signed + "." + encoded(openssl("dgst", "-sha256", "-sign", path, data=signed.encode()))


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, body):
        body = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/keys":
            self.say(json.dumps({"keys": [jwk for _, jwk in keys]}))
        elif url.path == "/token":
            self.say(token(**dict(parse_qsl(url.query))))
        elif url.path == "/rotate":
            keys.append(new_key(f"key-{len(keys)}"))
            self.say("{}")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        client = base64.b64decode(self.headers["Authorization"].split()[1]).decode().split(":")[0]
        self.say(json.dumps({"access_token": token(sub=client), "token_type": "Bearer", "expires_in": 300}))

    def log_message(self, *_):
        pass


with ThreadPoolExecutor() as makers:
    key, stranger = makers.map(new_key, ("key-0", "stranger"))
keys.append(key)
server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
