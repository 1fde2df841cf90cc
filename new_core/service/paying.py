"""Use cases of payments: open, try, find out, give up.

A gateway is never called in a transaction. An attempt is marked as being sent, and that is
committed; then the gateway is called; then one transaction books what it said and tells
whoever opened the payment. A process that dies in between leaves an attempt that the recovery
finds and looks up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.events import AuditEntry, Event
from new_core.domain.gateway import Charge, Charged, Question, Reach
from new_core.domain.gateway_health import Patience
from new_core.domain.money import Money
from new_core.domain.payment import (
    Attempt,
    AttemptState,
    CaptureMode,
    EventKind,
    IntentState,
    PaymentIntent,
    PaymentMethod,
    PaymentOutcome,
    Settled,
)
from new_core.domain.payment_booking import Learned, News, Pace, learn, sent
from new_core.domain.payment_failover import Budget, GiveUp, StandStill, TryAt, next_step
from new_core.domain.payment_move import Payment
from new_core.domain.payment_moving import paid
from new_core.errors import GatewayUnavailable, NotFound
from new_core.ports import Clock, Database, MoneyMoved, NewId, Settle, UnitOfWork
from new_core.service.doing import Doing
from new_core.service.gateway_calls import Gateways
from new_core.service.payment_books import book, note_health, tell


@dataclass(frozen=True, slots=True)
class Rules:
    """How payments are tried."""

    budget: Budget = field(default_factory=Budget)
    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=Patience)
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class Till:
    """What payments are made with. Built once per process.

    Attributes:
        settle: what whoever opened a payment does with its outcome.
        money_moved: what they do when the money moves after that.
    """

    database: Database
    gateways: Gateways
    settle: Settle
    money_moved: MoneyMoved
    now: Clock
    new_id: NewId
    rules: Rules = field(default_factory=Rules)

    def doing(self, actor: Actor) -> Doing:
        """An act of now."""
        return Doing(actor, self.now(), self.new_id)


async def open_payment(  # noqa: PLR0913 - what an order knows of its payment, said once
    uow: UnitOfWork,
    order_id: UUID,
    amount: Money,
    method: PaymentMethod,
    capture: CaptureMode,
    doing: Doing,
    *,
    reference: str = "",
) -> PaymentIntent:
    """Write down that an order is to be paid, with its first attempt; nothing is sent yet.

    Does not commit. Call `pay` after the commit; if nobody does, the recovery will.
    `reference` is the order's number, for whoever reads the gateway's own books.

    Raises:
        Conflict: the order has a payment that is open or won.
    """
    intent = PaymentIntent(
        id=doing.new_id(),
        order_id=order_id,
        minor=amount.minor,
        currency=amount.currency,
        capture=capture,
        method=method,
        created_at=doing.at,
        reference=reference,
    )
    first = Attempt(
        id=doing.new_id(),
        intent_id=intent.id,
        number=1,
        state=AttemptState.CREATED,
        created_at=doing.at,
        # Whoever opens it pays at once; the recovery comes only after they must have died.
        look_at=doing.at + timedelta(seconds=_ABANDONED_S),
    )
    await uow.payments.add(intent, first)
    return intent


_ABANDONED_S = 30.0


async def pay(till: Till, intent_id: UUID, actor: Actor) -> Settled:
    """Try a payment until it is won, lost, or nobody knows; settles it in the two first cases.

    Opens and commits its own transactions: call it outside of any. Safe to call again, also
    by several at once: what is won or lost is told again, and an attempt that is under way
    is left alone (outcome PENDING).

    Raises:
        NotFound: there is no such payment.
        DryRunStrayed: in a dry run, when a gateway would have to be called.
    """
    started = till.now()
    while True:
        sending = await _begin(till, intent_id, actor, started)
        if isinstance(sending, Settled):
            return sending
        payment, attempt = sending
        charged = await till.gateways.authorise(attempt.gateway, _charge(payment, attempt, till))
        settled = await _finish(till, intent_id, attempt.id, charged, actor)
        if settled is not None and settled.outcome is not PaymentOutcome.PENDING:
            return settled
        if charged.reach is Reach.NO_ANSWER:
            return await _ask_at_once(till, payment, attempt, actor)
        if settled is not None:
            return settled


def outcome_of(payment: Payment) -> Settled:
    """What to tell of a payment as it stands."""
    intent, last = payment.intent, payment.attempts[-1]
    winner = payment.winner
    if winner is not None and intent.state is IntentState.WON:
        took = winner.captured_minor > 0
        outcome = PaymentOutcome.CAPTURED if took else PaymentOutcome.AUTHORISED
        return Settled(intent, outcome, winner.id)
    if intent.state is IntentState.OPEN:
        return Settled(
            intent, PaymentOutcome.PENDING, last.id, last.reason, redirect_url=intent.redirect_url
        )
    return Settled(intent, PaymentOutcome.DECLINED, last.id, last.reason or intent.state.value)


def question(payment: Payment, attempt: Attempt) -> Question:
    """What to ask a gateway about an attempt."""
    intent = payment.intent
    return Question(
        attempt.id,
        attempt.gateway_ref,
        intent.minor,
        intent.currency,
        attempt.sent_at or attempt.created_at,
    )


async def locked_payment(uow: UnitOfWork, intent_id: UUID) -> Payment:
    """A payment that nobody else changes until this transaction ends.

    Raises:
        NotFound: there is none.
    """
    payment = await uow.payments.locked(intent_id)
    if payment is None:
        raise NotFound("payment", str(intent_id))
    return payment


async def book_learned(
    till: Till,
    uow: UnitOfWork,
    payment: Payment,
    learned: Learned,
    doing: Doing,
) -> Settled | None:
    """Write down what was learned, settle what came to its end, and begin the next attempt
    where there is to be one. Does not commit.

    Returns:
        The outcome; None when another attempt is to be sent.
    """
    before = paid(payment)
    payment = await book(uow, payment, learned, doing)
    if learned.is_final:
        settled = outcome_of(payment)
        await till.settle(uow, settled)
        return settled
    if payment.intent.state is not IntentState.OPEN:
        moved = paid(payment)
        if moved != before:
            await till.money_moved(uow, payment.intent.order_id, moved)
        return outcome_of(payment)
    return await _go_on(till, uow, payment, doing)


async def _begin(
    till: Till, intent_id: UUID, actor: Actor, started: datetime
) -> Settled | tuple[Payment, Attempt]:
    """Mark the next attempt as being sent, in its own commit; or tell how things are."""
    doing = till.doing(actor)
    async with till.database.writing() as uow:
        payment = await locked_payment(uow, intent_id)
        if payment.intent.state is not IntentState.OPEN:
            return outcome_of(payment)
        spent_s = (doing.at - started).total_seconds()
        candidates = till.gateways.candidates(
            payment.intent, await uow.payments.healths(), doing.at
        )
        step = next_step(payment.attempts, candidates, spent_s, till.rules.budget)
        if isinstance(step, StandStill):
            return outcome_of(payment)
        if isinstance(step, GiveUp):
            settled = await _give_up(till, uow, payment, step.reason, doing)
            await uow.commit()
            return settled
        attempt = await _mark_sending(till, uow, payment, step, doing)
        await uow.commit()
    return payment, attempt


async def _mark_sending(
    till: Till, uow: UnitOfWork, payment: Payment, step: TryAt, doing: Doing
) -> Attempt:
    waiting = payment.attempts[-1]
    before = payment.attempts[-2] if len(payment.attempts) > 1 else None
    attempt = sent(waiting, step.gateway, doing.at, till.rules.pace)
    learned = Learned(attempt, payment.intent.state, (News(EventKind.SENT),))
    await book(uow, payment, learned, doing)
    if before is not None and before.gateway != step.gateway:
        await tell(
            uow,
            payment,
            "payments.gateway.failed_over.v1",
            {"from": before.gateway, "to": step.gateway, "because": before.state.value},
            doing,
        )
    return attempt


async def _finish(
    till: Till, intent_id: UUID, attempt_id: UUID, charged: Charged, actor: Actor
) -> Settled | None:
    """Book what a gateway answered, or did not."""
    doing = till.doing(actor)
    async with till.database.writing() as uow:
        payment = await locked_payment(uow, intent_id)
        attempt = payment.attempt(attempt_id)
        learned = learn(payment, attempt, charged, doing.at, till.rules.pace)
        settled = await book_learned(till, uow, payment, learned, doing)
        await note_health(
            uow, till.gateways, attempt.gateway, charged.reach, till.rules.patience, doing
        )
        await uow.commit()
    return settled


async def _ask_at_once(till: Till, payment: Payment, attempt: Attempt, actor: Actor) -> Settled:
    """The answer was lost: if the gateway's books have the money, the shopper need not wait.

    Not finding it there proves nothing yet, and is left to the recovery.
    """
    try:
        found = await till.gateways.lookup(attempt.gateway, question(payment, attempt))
    except GatewayUnavailable:
        found = None
    if found is not None:
        charged = Charged(Reach.ANSWERED, found)
        settled = await _finish(till, payment.intent.id, attempt.id, charged, actor)
        if settled is not None:
            return settled
    async with till.database.reading() as uow:
        now = await uow.payments.get(payment.intent.id)
    return outcome_of(now or payment)


async def _go_on(till: Till, uow: UnitOfWork, payment: Payment, doing: Doing) -> Settled | None:
    """Begin the next attempt, or give up, or stand still. Whether there is time for it is
    asked when it is sent.
    """
    last = payment.attempts[-1]
    candidates = till.gateways.candidates(payment.intent, await uow.payments.healths(), doing.at)
    step = next_step(payment.attempts, candidates, 0.0, till.rules.budget)
    if isinstance(step, StandStill):
        return outcome_of(payment)
    if isinstance(step, GiveUp):
        return await _give_up(till, uow, payment, step.reason, doing)
    if last.state is not AttemptState.CREATED:
        following = Attempt(
            id=doing.new_id(),
            intent_id=payment.intent.id,
            number=last.number + 1,
            state=AttemptState.CREATED,
            created_at=doing.at,
            look_at=doing.at + timedelta(seconds=_ABANDONED_S),
        )
        await uow.payments.add_attempt(following, doing.at)
    return None


async def _give_up(
    till: Till, uow: UnitOfWork, payment: Payment, reason: str, doing: Doing
) -> Settled:
    intent = payment.intent.ended(IntentState.FAILED)
    await uow.payments.put_intent(intent, doing.at)
    last = payment.attempts[-1]
    if last.state is AttemptState.CREATED:
        await uow.payments.put_attempt(replace(last, look_at=None), last.state, doing.at)
    entry = AuditEntry(
        "payment.failed",
        "payment",
        str(intent.id),
        before={"state": payment.intent.state.value},
        after={"state": intent.state.value},
        reason=reason,
    )
    await uow.audit.add([entry], doing.actor, doing.at)
    event = Event(
        "payments.payment.failed.v1",
        "payment",
        intent.id,
        {"order_id": str(intent.order_id), "reason": reason},
    )
    await uow.outbox.add([event], doing.actor, doing.at)
    settled = Settled(intent, PaymentOutcome.DECLINED, payment.attempts[-1].id, reason)
    await till.settle(uow, settled)
    return settled


def _charge(payment: Payment, attempt: Attempt, till: Till) -> Charge:
    intent = payment.intent
    return Charge(
        attempt_id=attempt.id,
        minor=intent.minor,
        currency=intent.currency,
        capture=intent.capture,
        token=intent.method.token_at(attempt.gateway),
        reference=intent.reference,
        return_url=till.rules.return_url,
    )
