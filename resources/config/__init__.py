"""Configuration: the desk's file, book files and the environment, read into validated models."""

from resources.config.books import load_book, load_books
from resources.config.desk import DeskConfig, load_desk
from resources.config.errors import ConfigError

__all__ = ["ConfigError", "DeskConfig", "load_book", "load_books", "load_desk"]
