"""Ask a store what it would have answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.core import OpaqueBodyError, Redactor
from proxy.core.address import AddressError
from proxy.core.fields import known_lines, split_lines
from proxy.core.frame import Frame, Headers
from proxy.core.marks import unlike
from proxy.edge.sealing import SealError, opened
from proxy.edge.store_client import (
    ClientLimits,
    NoAnswer,
    NoAnswerError,
    Question,
    QuestionError,
    StoreAnswer,
    StoreClient,
)
from proxy.routing import KeyKind, RoutingTable, Side, Store
from shadow_compare.core.answer import Answer
from shadow_compare.core.breaker import Breaker
from shadow_compare.core.dry_runs import Ability, DryRuns, Word, word_of
from shadow_compare.core.pace import Pace
from shadow_compare.core.shadow_request import DRY_RUN_HEADER, READS, shadow_headers
from shadow_compare.errors import AskError

log = logging.getLogger(__name__)

_LOSSES = {
    NoAnswer.TIMEOUT: "shadow_timeout",
    NoAnswer.UNREACHABLE: "shadow_unreachable",
    NoAnswer.BROKEN: "shadow_truncated",
    NoAnswer.TOO_LARGE: "shadow_truncated",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one side is asked at most.

    Attributes:
        timeout_s: for one answer, waiting for its turn not included.
        concurrency: questions at a time.
        rate: questions a second.
        body_bytes: of one answer, as it comes over the wire.
    """

    timeout_s: float = 5.0
    concurrency: int = 16
    rate: float = 500.0
    body_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets shared with the proxy.

    Attributes:
        redaction: answers are redacted with it as the proxy redacts.
        sealing: opens the credentials that the proxy sealed; None for who has none.
    """

    redaction: bytes
    sealing: bytes | None


class _SideAsker:
    """One side's turns, pace, breaker and dry runs."""

    def __init__(self, limits: Limits) -> None:
        self.turns = asyncio.Semaphore(limits.concurrency)
        self.pace = Pace(limits.rate)
        self.breaker = Breaker()
        self.dry_runs = DryRuns()
        self.proving = asyncio.Lock()


class HttpAsker:
    """Implements ports.Asker over HTTP/1.1. Belongs to one event loop.

    Answers are redacted with the proxy's key before anyone sees them, so that they can be
    compared with what the proxy captured.
    """

    def __init__(
        self,
        table: RoutingTable,
        keys: Keys,
        limits: Limits,
        *,
        base: Path = Path(),
        secret: Callable[[str], str | None] = lambda _name: None,
    ) -> None:
        """Begin without connections.

        Args:
            table: as for `use`.
            keys: see there.
            limits: of each side.
            base: folder that relative names of certificate files start from.
            secret: value of a variable in the environment, None when it is not set.

        Raises:
            AddressError: a store's URL is none.
        """
        self._keys = keys
        self._limits = limits
        self._secret = secret
        self._sides = {side: _SideAsker(limits) for side in Side}
        self._stores: Mapping[Side, Store] = table.stores
        wire = ClientLimits(
            timeout_s=limits.timeout_s, body_bytes=limits.body_bytes, idle=limits.concurrency
        )
        self._client = StoreClient(table.stores, wire, base)
        self._use(table)

    def use(self, table: RoutingTable) -> None:
        """Ask this table's stores from now on, as whom it says."""
        try:
            self._client.use(table.stores)
        except AddressError as exc:
            log.error("%s; the stores before it are asked on", exc)  # noqa: TRY400 - a wrong file
            return
        for side, store in table.stores.items():
            before = self._stores[side]
            if (before.url, before.release) != (store.url, store.release):
                self._sides[side].dry_runs = DryRuns()
        self._use(table)

    def _use(self, table: RoutingTable) -> None:
        self._stores = table.stores
        names = [key.name for key in table.shopper if key.kind is KeyKind.HEADER]
        privacy = table.privacy
        self._redactor = Redactor(self._keys.redaction, names, privacy.show, privacy.hide)
        self._credentials = {one.name: one.shadow.credentials for one in table.domains}

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()

    async def ask(self, side: Side, frame: Frame, *, dry_run: bool = False) -> Answer:
        if not dry_run and frame.method not in READS:
            raise AskError("dry_run_refused", f"a {frame.method} is only asked as a dry run")
        loss = unlike(frame.redaction, self._redactor.id)
        if loss is not None:
            raise AskError(loss, "its marks cannot be compared with those made here")
        question = self._question(frame, dry_run=dry_run)
        if dry_run:
            await self._must_be_able(side, _route_of(frame), question)
        answer = await self._asked(side, question)
        if dry_run:
            headers = tuple(split_lines(answer.lines))
            self._must_have_honoured(side, _route_of(frame), headers)
        return self._redacted(answer)

    def _question(self, frame: Frame, *, dry_run: bool) -> Question:
        headers = shadow_headers(frame, *self._credentials_of(frame))
        if dry_run:
            headers.append((DRY_RUN_HEADER, "1"))
        return Question(frame.method, frame.target, tuple(headers), frame.request_body)

    def _credentials_of(self, frame: Frame) -> tuple[Headers, dict[str, str]]:
        """What the frame brought sealed, and what the rules set.

        Opened only here, to be sent: nothing of it is kept, logged or told.
        """
        credentials = self._credentials.get(frame.domain)
        if credentials is None:
            return (), {}
        replaced = {}
        for name, variable in credentials.replace:
            value = self._secret(variable)
            if value is None:
                raise AskError("credentials_missing", f"the variable {variable} is not set")
            replaced[name] = value
        # A seal that was made under another table opens nothing that today's forbids.
        if not credentials.forward or not frame.sealed:
            return (), replaced
        if self._keys.sealing is None:
            raise AskError("credentials_missing", "there is no BANYAN_SEALING_KEY")
        try:
            found = opened(self._keys.sealing, frame.sealed, frame.domain, frame.request_id)
        except SealError as exc:
            raise AskError("credentials_missing", str(exc)) from exc
        return found, replaced

    async def _asked(self, side: Side, question: Question) -> StoreAnswer:
        asker = self._sides[side]
        async with asker.turns:
            if not asker.breaker.allows(_now_s()):
                raise AskError("shadow_unreachable", f"{side} does not answer")
            try:
                wait_s = asker.pace.wait_s(_now_s())
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                answer = await self._client.ask(side, question)
            except NoAnswerError as exc:
                _note(asker.breaker, exc.why)
                raise AskError(_LOSSES[exc.why], str(exc)) from exc
            except QuestionError as exc:
                asker.breaker.abandoned()
                raise AskError("request_invalid", str(exc)) from exc
            except BaseException:
                asker.breaker.abandoned()
                raise
            asker.breaker.succeeded()
            return answer

    async def _must_be_able(self, side: Side, route: str, question: Question) -> None:
        """Send no write to a side that has not proven that it takes writes back.

        The question is OPTIONS at the write's own target: a store that knows nothing of
        dry runs tells what it allows there, and changes nothing.
        """
        asker = self._sides[side]
        async with asker.proving:
            dry_runs = asker.dry_runs
            ability = dry_runs.ability(route, _now_s())
            if ability is Ability.UNKNOWN:
                headers = tuple(
                    (name, "probe" if name == DRY_RUN_HEADER else value)
                    for name, value in question.headers
                    if name.lower() != "content-type"
                )
                answer = await self._asked(side, Question("OPTIONS", question.target, headers))
                can = _word_in(tuple(split_lines(answer.lines))) is Word.HONOURED
                dry_runs.proved(route, _now_s(), can=can)
                ability = dry_runs.ability(route, _now_s())
        if ability is not Ability.PROVEN:
            raise AskError("dry_run_refused", f"{side} does not take writes back")

    def _must_have_honoured(self, side: Side, route: str, headers: Headers) -> None:
        word = _word_in(headers)
        if self._sides[side].dry_runs.ran(route, _now_s(), word):
            log.error(
                "%s answered a dry run without %s: %s; the write may have been made, and no"
                " further one is sent until its release or address changes",
                side,
                DRY_RUN_HEADER,
                Word.HONOURED,
            )
        if word is not Word.HONOURED:
            raise AskError("dry_run_refused", f"{side} did not say that it took the write back")

    def _redacted(self, answer: StoreAnswer) -> Answer:
        lines = self._redactor.header_lines(answer.lines)
        try:
            body = self._redactor.body(answer.body, lines.content_type, lines.content_encoding)
        except OpaqueBodyError as exc:
            raise AskError("shadow_opaque", f"the answer cannot be redacted: {exc}") from exc
        return Answer(answer.status, known_lines(lines.text), body, answer.elapsed_us)


def _word_in(headers: Headers) -> Word:
    name = DRY_RUN_HEADER.lower()
    return word_of([value for key, value in headers if key.lower() == name])


def _route_of(frame: Frame) -> str:
    return f"{frame.domain}|{frame.route}"


def _note(breaker: Breaker, why: NoAnswer) -> None:
    if why in (NoAnswer.TIMEOUT, NoAnswer.UNREACHABLE):
        breaker.failed(_now_s())
    else:
        breaker.succeeded()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
