"""What each role is told, one text per role and version: `trader-v1.md`. `agents.core.prompts` reads them, once.

A text that has been used is never edited: a changed prompt is a new file with the next version.
"""
