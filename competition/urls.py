from django.contrib.sitemaps.views import sitemap
from django.urls import path

from competition.views import (
    api_docs,
    backtest_new,
    backtests,
    board,
    calls,
    compare,
    costs,
    cycles,
    entries,
    found,
    health,
    market,
    rules,
    site,
)

urlpatterns = [
    # boards
    path("", board.home, name="home"),
    path("s/<slug:slug>/", board.season, name="season"),
    path("s/<slug:slug>/equity/", board.equity, name="equity"),
    path("s/<slug:slug>/equity.json", board.equity_json, name="equity_json"),
    path("s/<slug:slug>/board.png", board.picture, name="picture"),
    # one season
    path("s/<slug:season_slug>/e/<slug:slug>/", entries.entry, name="entry"),
    path("s/<slug:season_slug>/c/<int:number>/", cycles.cycle, name="cycle"),
    path("s/<slug:season_slug>/c/<int:number>/e/<slug:slug>/", cycles.turn, name="turn"),
    path("s/<slug:season_slug>/c/<int:number>/e/<slug:slug>/brief.json", cycles.brief, name="brief"),
    path("s/<slug:season_slug>/e/<slug:slug>/firm/<int:number>/", calls.firm, name="firm"),
    path("s/<slug:season_slug>/m/<slug:symbol>/", market.market, name="market"),
    path("s/<slug:season_slug>/compare/", compare.compare, name="compare"),
    path("s/<slug:season_slug>/costs/", costs.costs, name="costs"),
    path("s/<slug:season_slug>/rules/", rules.rules, name="rules"),
    # one call to one model
    path("calls/<int:call_id>/", calls.call, name="call"),
    path("calls/<int:call_id>/call.json", calls.call_json, name="call_json"),
    # backtests
    path("backtests/", backtests.backtests, name="backtests"),
    path("backtests/new/", backtest_new.new, name="backtest_new"),
    path("backtests/new/check/", backtest_new.check, name="backtest_check"),
    path("backtests/compare/", backtests.compared, name="backtests_compared"),
    path("backtests/<slug:key>/", backtests.backtest, name="backtest"),
    path("backtests/<slug:key>/cancel/", backtests.cancel, name="backtest_cancel"),
    path("backtests/<slug:key>/backtest.json", backtests.json_file, name="backtest_json"),
    path("backtests/<slug:key>/<slug:table>.csv", backtests.csv_file, name="backtest_csv"),
    path("backtests/<slug:key>/<slug:agent>/<int:number>/", backtests.decision, name="backtest_decision"),
    # the site
    path("seasons/", site.seasons, name="seasons"),
    path("status/", site.status, name="status"),
    path("reliability/", site.reliability, name="reliability"),
    path("about/", site.about, name="about"),
    path("theme/", site.theme, name="theme"),
    # for programs, and for whoever looks for the site
    path("api/v1/docs", api_docs.docs, name="api_docs"),
    path("cycles.atom", found.Cycles(), name="feed"),
    path("sitemap.xml", sitemap, {"sitemaps": found.SITEMAPS}, name="sitemap"),
    path("robots.txt", found.robots, name="robots"),
    path("llms.txt", found.llms, name="llms"),
    # for whoever keeps it running
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
