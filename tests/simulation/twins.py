"""An answer that comes again: another text for a question that has been answered, given up or superseded."""

from typing import TYPE_CHECKING

from agents.core.answers import Answer, Question
from agents.core.brief import Brief
from agents.models import Attempt
from competition.services.asking import accept
from competition.services.leasing import Lease, round_of
from tests.simulation import points
from tests.simulation.actors import Actor

if TYPE_CHECKING:
    from tests.simulation.world import World


def answer_again(world: "World", number: int) -> None:
    """Some attempt of the week is answered (again), with a text of its own, by whoever was late with it."""
    attempts = Attempt.objects.filter(brief__turn__cycle__season=world.season, brief__turn__cycle__number=number)
    ids = list(attempts.order_by("id").values_list("id", flat=True))
    if not ids:
        return
    attempt_id, text = world.rng.choice(ids), world.voices.weights()

    def job(actor: Actor) -> None:
        attempt = Attempt.objects.select_related("brief__turn__entry__agent").get(id=attempt_id)
        turn = attempt.brief.turn
        asked = round_of(turn.cycle_id, world.clock())
        if asked is None:
            return
        agent = turn.entry.agent
        brief = Brief(attempt.brief.content, attempt.brief.sha256)
        question = Question(
            *(str(attempt.run_token), agent.model, agent.parameters, brief, (), 1.0, agent.slug, agent.kind)
        )
        world.say(f"attempt {attempt.number} of {agent.slug} is answered again")
        world.count(points.EVENT, "answer-late")
        accept(asked, [(Lease(turn.id, attempt.id, question, attempt.lease_until), Answer(text))], world.clock())

    world.start("twin", job)
