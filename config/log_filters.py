"""What the log leaves out."""

import copy
import logging


class RefusalInOneLine(logging.Filter):
    """A request refused with a 4xx is one line: the traceback Django adds is of its own way to say no."""

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        if not 400 <= getattr(record, "status_code", 0) < 500 or not record.exc_info:
            return True
        line = copy.copy(record)  # other handlers may want it
        line.exc_info = line.exc_text = None
        return line
