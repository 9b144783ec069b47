"""What a visitor sees when there is no page, or none can be made."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader

from competition.pages.frame import Frame, NotThere
from competition.views.answers import answer


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 with links to what there is. Asks the database nothing: it may be what is missing."""
    links = exception.links if isinstance(exception, NotThere) else ()
    message = exception.message if isinstance(exception, NotThere) else "There is no page at this address."
    return answer(request, "404.html", {"frame": Frame(), "message": message, "links": links}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """500 from a template that needs neither database nor context."""
    return HttpResponseServerError(loader.render_to_string("500.html"))
