"""Executed notebooks -> pages that need no network: one page a notebook, a glossary and an index, in one language."""

from custvalue.pages.pdf import write_pdf
from custvalue.pages.reading import Page, notes, read_page
from custvalue.pages.writing import PackFacts, write_pages

__all__ = ["PackFacts", "Page", "notes", "read_page", "write_pages", "write_pdf"]
