from django.urls import path

from competition.views import board, cycles, entries, health, rules, site

urlpatterns = [
    # boards
    path("", board.home, name="home"),
    path("s/<slug:slug>/", board.season, name="season"),
    # one season
    path("s/<slug:season_slug>/e/<slug:slug>/", entries.entry, name="entry"),
    path("s/<slug:season_slug>/c/<int:number>/", cycles.cycle, name="cycle"),
    path("s/<slug:season_slug>/c/<int:number>/e/<slug:slug>/brief.json", cycles.brief, name="brief"),
    path("s/<slug:season_slug>/rules/", rules.rules, name="rules"),
    # the site
    path("seasons/", site.seasons, name="seasons"),
    path("status/", site.status, name="status"),
    path("about/", site.about, name="about"),
    path("theme/", site.theme, name="theme"),
    # for whoever keeps it running
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
