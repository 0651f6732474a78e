"""Calls of the broker's HTTP side."""

from __future__ import annotations

import http.client
import json
from typing import Any, Dict, Mapping, Optional, Tuple, Union
from urllib.parse import quote, urlencode, urlsplit

from ._errors import KlammError

#: Longer than the broker itself lets a call take: a move of the clock has 30 seconds.
PATIENCE = 60.0

Body = Union[bytes, Mapping[str, Any]]


class Control:
    """Each call is on a connection of its own: threads share it freely, and no proxy stands between."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname and parts.port
        self._host, self._port = parts.hostname, parts.port

    def text(
        self,
        method: str,
        path: str,
        body: Optional[Body] = None,
        *,
        words: Optional[Mapping[str, Any]] = None,
        timeout: float = PATIENCE,
    ) -> Tuple[int, str]:
        """The status and the body of an answer, whatever it says. A body that is no mapping goes as it is."""
        if words:
            path += "?" + urlencode(words, quote_via=quote)
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise KlammError(f"{method} {path}: the broker does not answer: {error}") from error
        finally:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: Optional[Body] = None,
        *,
        words: Optional[Mapping[str, Any]] = None,
        timeout: float = PATIENCE,
    ) -> Tuple[int, Dict[str, Any]]:
        """The same for an answer that is JSON."""
        status, text = self.text(method, path, body, words=words, timeout=timeout)
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise KlammError(f"{method} {path}: the broker does not answer: {error}") from error
        return status, answer if isinstance(answer, dict) else {"error": text}

    def ask(
        self, method: str, path: str, body: Optional[Body] = None, *, words: Optional[Mapping[str, Any]] = None
    ) -> Dict[str, Any]:
        """The body of an answer that agrees; else a KlammError with the broker's sentence."""
        return agreed(*self.call(method, path, body, words=words))

    def ask_text(self, path: str, words: Optional[Mapping[str, Any]] = None) -> str:
        """The same for an answer that is a text."""
        status, text = self.text("GET", path, words=words)
        if status == 200:
            return text
        try:
            agreed(status, json.loads(text))
        except ValueError:
            pass
        raise KlammError(f"GET {path}: status {status}: {text}")


def agreed(status: int, answer: Dict[str, Any]) -> Dict[str, Any]:
    """What was answered, where it agrees; else a KlammError with the broker's sentence."""
    if status != 200:
        raise KlammError(str(answer.get("error", answer)))
    return answer
