"""One container image as an OCI archive: `image.py scratch ARCH VERSION BINARY OUT` and
`image.py kafka ARCH VERSION BINARY OUT TOOLS [RUNNER…]`, where ARCH is amd64 or arm64, TOOLS a folder with Debian's static bash and
busybox, and RUNNER runs them, where they are another architecture's.

Everything that an image is stands here: the files of its one layer with their owners and modes, and its configuration. Names are
sorted and all times are zero, so that the same files make the same digests.

An engine finds the name of what it loads in one of two places, and both say the same:

- Docker without containerd's image store reads `manifest.json` and nothing else.
- Docker with that store (from 25 on as a choice, from 29 on as its own), containerd, and podman read `index.json`, when there is an
  `oci-layout`. The annotation `io.containerd.image.name` is taken as it stands: a name without a host would be kept so, and Docker
  would never find it, as it looks for names with their host. `localhost/` is podman's for what came from no registry."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "packaging", "image")
# As apache/kafka and cp-kafka have it.
USER = 1000
# What is in each image, as SPDX says it.
LICENCES = {"klamm": "Apache-2.0", "klamm-kafka": "Apache-2.0 AND GPL-2.0-only AND GPL-3.0-or-later"}
DESCRIPTIONS = {
    "klamm": "Kafka broker in one small binary",
    "klamm-kafka": "Kafka broker in one small binary, with the paths and tool names of images of Kafka, Confluent and Redpanda",
}
# Where Debian has the texts that its packages' copyright files refer to.
TEXTS = "/usr/share/common-licenses"
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


def of_both(layer, binary, data):
    layer.file("usr/bin/klamm", read(binary), 0o755)
    layer.file("usr/share/doc/klamm/LICENSE", read(os.path.join(ROOT, "..", "..", "LICENSE")))
    layer.file("etc/passwd", PASSWD.encode())
    layer.file("etc/group", GROUP.encode())
    layer.file("etc/klamm/server.properties", PROPERTIES.format(data).encode())


def scratch(layer, binary):
    of_both(layer, binary, "/var/lib/klamm")
    layer.directory("var/lib/klamm", 0o755, USER)
    layer.directory("tmp", 0o1777)
    return {
        "User": f"{USER}:{USER}",
        "Entrypoint": ["/usr/bin/klamm"],
        "Cmd": ["/etc/klamm/server.properties"],
        "Env": ["PATH=/usr/bin"],
        "ExposedPorts": {"9092/tcp": {}},
        "Volumes": {"/var/lib/klamm": {}},
    }


def debian_tools(layer, folder, runner):
    """Debian's static bash and busybox, with the texts that their licences ask for beside them."""
    # Bash is sh, too, as in those images: it hands on variables whose names have a dash, which other shells drop.
    layer.file("bin/bash", read(os.path.join(folder, "bin/bash-static")), 0o755)
    layer.link("bin/sh", "bash")
    busybox = os.path.join(folder, "bin/busybox")
    layer.file("bin/busybox", read(busybox), 0o755)
    applets = subprocess.run([*runner, busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in sorted(set(applets) - {"sh", "ash", "bash", "busybox"}):
        layer.link(f"bin/{applet}", "busybox")
    for package in ["bash-static", "busybox-static"]:
        path = f"usr/share/doc/{package}/copyright"
        layer.file(path, read(os.path.join(folder, path)))
    for text in ["GPL-2", "GPL-3"]:
        layer.file(f"{TEXTS}/{text}", read(os.path.join(TEXTS, text)))
    versions = read(os.path.join(folder, "versions")).decode()
    source = "Binaries of Debian, unchanged. Debian has their source, by these names and versions:\n" + versions
    layer.file("usr/share/doc/klamm/debian-packages", source.encode())


def kafka(layer, binary, tools, *runner):
    of_both(layer, binary, "/var/lib/kafka/data")
    debian_tools(layer, tools, runner)
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
        "User": f"{USER}:{USER}",
        "Cmd": ["/etc/kafka/docker/run"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/kafka/bin"],
        "ExposedPorts": {"9092/tcp": {}},
        "Volumes": {"/var/lib/kafka/data": {}},
        "WorkingDir": "/home/appuser",
    }


def blob(blobs, media, content):
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def archive(arch, version, config, layer, name):
    tar, blobs = layer.tar(), {}
    packed = gzip.compress(tar, 6, mtime=0)
    platform = {"architecture": arch, "os": "linux"}
    told = {"title": name, "description": DESCRIPTIONS[name], "version": version, "licenses": LICENCES[name]}
    told = {f"org.opencontainers.image.{key}": value for key, value in told.items()}
    image = {
        **platform,
        "config": {**config, "StopSignal": "SIGTERM", "Labels": told},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
        "history": [{"created_by": "scripts/image.sh"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(blobs, "application/vnd.oci.image.config.v1+json", json.dumps(image, sort_keys=True).encode()),
        "layers": [blob(blobs, "application/vnd.oci.image.layer.v1.tar+gzip", packed)],
        "annotations": told,
    }
    descriptor = blob(blobs, manifest["mediaType"], json.dumps(manifest, sort_keys=True).encode())
    reference = f"localhost/{name}:latest"
    names = {"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": reference}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**descriptor, "platform": platform, "annotations": names}],
    }

    def path(descriptor):
        return descriptor["digest"].replace("sha256:", "blobs/sha256/")

    layers = [path(layer) for layer in manifest["layers"]]
    for_docker = [{"Config": path(manifest["config"]), "RepoTags": [reference], "Layers": layers}]
    files = Layer()
    files.file("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    files.file("index.json", json.dumps(index, sort_keys=True).encode())
    files.file("manifest.json", json.dumps(for_docker, sort_keys=True).encode())
    for digest, content in blobs.items():
        files.file(f"blobs/sha256/{digest}", content)
    return files.tar()


def main():
    kind, arch, version, binary, out, *rest = sys.argv[1:]
    layer = Layer()
    config = scratch(layer, binary) if kind == "scratch" else kafka(layer, binary, *rest)
    name = "klamm" if kind == "scratch" else "klamm-kafka"
    with open(out + ".new", "wb") as file:
        file.write(archive(arch, version, config, layer, name))
    os.replace(out + ".new", out)
    print(out)


main()
