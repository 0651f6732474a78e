"""One container image as an OCI archive: `image.py scratch ARCH BINARY OUT` and `image.py kafka ARCH BINARY OUT BASH BUSYBOX`.

Everything that an image is stands here: the files of its one layer with their owners and modes, and its configuration. Names are
sorted and all times are zero, so that the same files make the same digests."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "packaging", "image")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# As apache/kafka and cp-kafka have it.
USER = 1000
TOOLS = ["topics", "console-producer", "console-consumer", "configs", "consumer-groups", "storage", "broker-api-versions"]
TOOLS += ["cluster", "server-start"]
PASSWD = "root:x:0:0:root:/root:/bin/sh\nappuser:x:1000:1000:appuser:/home/appuser:/bin/sh\n"
GROUP = "root:x:0:\nappuser:x:1000:\n"
PROPERTIES = """# What holds in this image where no variable KAFKA_* says otherwise.
listeners=PLAINTEXT://:9092
log.dirs={}
"""


class Layer:
    """A file system, by path."""

    def __init__(self):
        self.entries = {}

    def directory(self, path, mode=0o755, owner=0):
        self.entries[path.strip("/")] = ("directory", mode, owner, None)

    def file(self, path, content, mode=0o644, owner=0):
        self.entries[path.strip("/")] = ("file", mode, owner, content)

    def link(self, path, to):
        self.entries[path.strip("/")] = ("link", 0o777, 0, to)

    def tar(self):
        for path in list(self.entries):
            while "/" in path:
                path = path.rsplit("/", 1)[0]
                self.entries.setdefault(path, ("directory", 0o755, 0, None))
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.entries):
                kind, mode, owner, content = self.entries[path]
                info = tarfile.TarInfo(path)
                info.mode, info.uid, info.gid, info.mtime = mode, owner, owner, 0
                if kind == "directory":
                    info.type = tarfile.DIRTYPE
                elif kind == "link":
                    info.type, info.linkname = tarfile.SYMTYPE, content
                else:
                    info.size = len(content)
                archive.addfile(info, io.BytesIO(content) if kind == "file" else None)
        return out.getvalue()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def scratch(layer, binary):
    layer.file("usr/bin/klamm", read(binary), 0o755)
    layer.file("etc/passwd", PASSWD.encode())
    layer.file("etc/group", GROUP.encode())
    layer.file("etc/klamm/server.properties", PROPERTIES.format("/var/lib/klamm").encode())
    layer.directory("var/lib/klamm", 0o755, USER)
    layer.directory("tmp", 0o1777)
    return {
        "Entrypoint": ["/usr/bin/klamm"],
        "Cmd": ["/etc/klamm/server.properties"],
        "Env": ["PATH=/usr/bin"],
        "ExposedPorts": {"9092/tcp": {}},
        "Volumes": {"/var/lib/klamm": {}},
    }


def kafka(layer, binary, bash, busybox):
    layer.file("usr/bin/klamm", read(binary), 0o755)
    layer.file("etc/passwd", PASSWD.encode())
    layer.file("etc/group", GROUP.encode())
    layer.file("etc/klamm/server.properties", PROPERTIES.format("/var/lib/kafka/data").encode())
    # Bash is sh, too, as in those images: it hands on variables whose names have a dash, which other shells drop.
    layer.file("bin/bash", read(bash), 0o755)
    layer.link("bin/sh", "bash")
    layer.file("bin/busybox", read(busybox), 0o755)
    # Its names are the same on all architectures; that of this machine can be asked.
    applets = subprocess.run(["busybox", "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in sorted(set(applets) - {"sh", "ash", "bash", "busybox"}):
        layer.link(f"bin/{applet}", "busybox")
    layer.link("usr/bin/env", "../../bin/busybox")
    for tool in TOOLS:
        layer.link(f"opt/kafka/bin/kafka-{tool}.sh", "/usr/bin/klamm")
        layer.link(f"usr/bin/kafka-{tool}", "klamm")
        layer.link(f"usr/bin/kafka-{tool}.sh", "klamm")
    for folder, _, names in os.walk(ROOT):
        for name in names:
            path = os.path.join(folder, name)
            layer.file(os.path.relpath(path, ROOT), read(path), 0o755, USER)
    for path in ["opt/kafka", "opt/kafka/config", "opt/kafka/logs", "etc/kafka", "etc/kafka/docker", "etc/kafka/secrets"]:
        layer.directory(path, 0o755, USER)
    for path in ["etc/confluent/docker", "var/lib/kafka/data", "var/lib/redpanda/data", "var/lib/redpanda", "etc/redpanda"]:
        layer.directory(path, 0o755, USER)
    for path in ["mnt/shared/config", "home/appuser", "var/lib/zookeeper"]:
        layer.directory(path, 0o755, USER)
    layer.directory("tmp", 0o1777)
    layer.directory("root", 0o700)
    layer.directory("usr/sbin")
    layer.directory("proc")
    layer.directory("dev")
    layer.directory("sys")
    return {
        "User": str(USER),
        "Cmd": ["/etc/kafka/docker/run"],
        "Env": ["PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin:/opt/kafka/bin"],
        "ExposedPorts": {"9092/tcp": {}},
        "Volumes": {"/var/lib/kafka/data": {}},
        "WorkingDir": "/home/appuser",
    }


def blob(blobs, media, content):
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def archive(arch, config, layer, name):
    tar, blobs = layer.tar(), {}
    packed = gzip.compress(tar, 6, mtime=0)
    platform = {"architecture": ARCHITECTURES[arch], "os": "linux"}
    image = {
        **platform,
        "config": {
            **config,
            "StopSignal": "SIGTERM",
            "Labels": {"org.opencontainers.image.title": name, "org.opencontainers.image.licenses": "Apache-2.0"},
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
        "history": [{"created_by": "scripts/image.sh"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(blobs, "application/vnd.oci.image.config.v1+json", json.dumps(image, sort_keys=True).encode()),
        "layers": [blob(blobs, "application/vnd.oci.image.layer.v1.tar+gzip", packed)],
    }
    told = blob(blobs, manifest["mediaType"], json.dumps(manifest, sort_keys=True).encode())
    names = {"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": f"{name}:latest"}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**told, "platform": platform, "annotations": names}],
    }
    files = Layer()
    files.file("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    files.file("index.json", json.dumps(index, sort_keys=True).encode())
    for digest, content in blobs.items():
        files.file(f"blobs/sha256/{digest}", content)
    return files.tar()


def main():
    kind, arch, binary, out, *rest = sys.argv[1:]
    layer = Layer()
    config = scratch(layer, binary) if kind == "scratch" else kafka(layer, binary, *rest)
    name = "klamm" if kind == "scratch" else "klamm-kafka"
    with open(out + ".new", "wb") as file:
        file.write(archive(arch, config, layer, name))
    os.replace(out + ".new", out)
    print(out)


main()
