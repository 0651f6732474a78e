"""What kafka-python's tests import as `test.service` and its source package lacks: services that somebody else starts."""


class ExternalService:
    def __init__(self, host, port):
        self.host = host
        self.port = port

    def open(self):
        pass

    def close(self):
        pass

    def stop(self):
        pass

    def dump_logs(self):
        pass


class SpawnedService:
    def __init__(self, *_arguments, **_keywords):
        raise RuntimeError("these tests run against a broker that is there")
