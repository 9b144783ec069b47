"""Before the first season."""

from tests.api.asking import data, error


def test_before_any_season_there_is_none_to_speak_of(db: None) -> None:
    assert error("leaderboard", 404)["detail"] == "No season has opened yet."
    assert data("seasons")["items"] == []
    assert data("status")["seasons"] == []
