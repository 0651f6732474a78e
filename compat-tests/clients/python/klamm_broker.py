"""A plugin for kafka-python's tests of SASL and TLS: where their fixture would start a broker of its own, it takes the one that
is there, whose listeners the environment names."""

import os
import shutil

import py
from test.integration import fixtures


def instance(broker_id, transport="PLAINTEXT", sasl_mechanism=None, tmp_dir=None, **_):
    host, port = os.environ[f"KLAMM_{transport}"].split(":")
    broker = fixtures.KafkaFixture(
        host, int(port), broker_id, transport=transport, sasl_mechanism=sasl_mechanism, external=True,
        tmp_dir=tmp_dir or py.path.local.mkdtemp(),
    )
    if broker.ssl_enabled:
        broker.ssl_dir = broker.tmp_dir.strpath
        shutil.copy(os.environ["KLAMM_CA"], os.path.join(broker.ssl_dir, "ca-cert"))
    return broker


def arguments_of_tools(broker):
    """The tools' settings are in a template that the source package lacks."""
    config = broker.tmp_dir.join("tools.properties")
    config.write(
        f"security.protocol={broker.transport}\nsasl.mechanism={broker.sasl_mechanism}\n"
        f"sasl.jaas.config={broker._jaas_config()}"
    )
    return ["--bootstrap-server", broker.bootstrap_server(), "--command-config", config.strpath]


def pytest_configure():
    fixtures.KafkaFixture.instance = staticmethod(instance)
    fixtures.KafkaFixture._cli_connect_args = arguments_of_tools
