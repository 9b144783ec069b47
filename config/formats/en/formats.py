"""How the admin writes instants: to the second, sortable by eye, and in which zone. Pages write their own."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
